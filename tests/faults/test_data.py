"""Kinds of bad data. A new kind is one function that does it, and one line of the table."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from simeps_mmseg.datasets.checks import files as file_checks
from simeps_mmseg.datasets.checks import quick
from simeps_mmseg.datasets.checks.full import check_files
from simeps_mmseg.datasets.checks.quick import check_quickly
from simeps_mmseg.datasets.sources import find_sources
from tests.faults.small_set import SIZE, config, image, make, mask
from tests.helpers import save

TRAIN = 'labelled/images/0.png'


def labelled(cfg: Config) -> Config:
    return cfg.train_dataloader.dataset.labeled


def listed(root: Path, cfg: Config, content: bytes) -> None:
    (root / 'list.txt').write_bytes(content)
    labelled(cfg).ann_file = 'list.txt'


def cut_off(root, cfg):
    content = (root / TRAIN).read_bytes()
    (root / TRAIN).write_bytes(content[: len(content) // 2])


def empty(root, cfg):
    (root / 'unlabelled/images/0.png').write_bytes(b'')


def text(root, cfg):
    (root / 'unlabelled/images/0.png').write_text('<html>404</html>')


def a_named_pipe(root, cfg):
    (root / 'unlabelled/images/0.png').unlink()
    os.mkfifo(root / 'unlabelled/images/0.png')


def a_mask_that_is_a_named_pipe(root, cfg):
    (root / 'labelled/masks/0.png').unlink()
    os.mkfifo(root / 'labelled/masks/0.png')


def a_folder_called_as_an_image(root, cfg):
    (root / TRAIN).unlink()
    (root / TRAIN).mkdir()
    listed(root, cfg, b'0\n1\n2\n')


def animated(root, cfg):
    frames = [Image.fromarray(image('unlabelled', 10 + index)) for index in range(3)]
    frames[0].save(root / 'unlabelled/images/9.tiff', save_all=True, append_images=frames[1:])


def twice_by_pixels(root, cfg):
    save(root / 'unlabelled/images/again.bmp', image('unlabelled', 0))


def twice_in_the_list(root, cfg):
    listed(root, cfg, b'0\n1\n0\n')


def twice_in_validation(root, cfg):
    save(root / 'val/images/again.png', image('val', 0))
    save(root / 'val/masks/again.png', mask())


def several_pages_of_a_labelled_image(root, cfg):
    frames = [Image.fromarray(image('labelled', index)) for index in range(2)]
    (root / TRAIN).unlink()
    frames[0].save(root / TRAIN, format='tiff', save_all=True, append_images=frames[1:])


def masks_among_the_images(root, cfg):
    save(root / 'unlabelled/images/0_mask.png', mask())


def painted_masks_among_the_images(root, cfg):
    save(root / 'unlabelled/images/0_mask.png', 100 * mask())


def masks_as_unlabelled_images(root, cfg):
    """Most are; some have no defect, and an image is among them."""
    for index in range(2):
        save(root / f'unlabelled/images/{index}.png', np.roll(mask(), index))
    for index in range(3, 9):
        save(root / f'unlabelled/images/{index}.png', np.zeros((SIZE, SIZE + index), np.uint8))


def one_image_for_a_share_of_two(root, cfg):
    listed(root, cfg, b'1\n')


def validation_without_defect(root, cfg):
    for index in range(3):
        save(root / f'val/masks/{index}.png', np.zeros((SIZE, SIZE), np.uint8))


def a_test_set_without_defect(root, cfg):
    for index in range(3):
        save(root / f'test/masks/{index}.png', np.zeros((SIZE, SIZE), np.uint8))


def turned_by_180_degrees(root, cfg):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(image('labelled', 0)).save(root / TRAIN, exif=exif)


def larger_than_the_memory(root, cfg):
    Image.new('1', (20_000, 20_000)).save(root / 'unlabelled/images/large.png')


def a_list_with_a_byte_order_mark(root, cfg):
    listed(root, cfg, b'\xef\xbb\xbf0\n1\n2\n')


def a_list_in_utf16(root, cfg):
    listed(root, cfg, '0\n1\n2\n'.encode('utf-16'))


def a_list_in_latin1(root, cfg):
    listed(root, cfg, '0\nprüfung\n'.encode('latin-1'))


def a_list_of_another_suffix_in_utf16(root, cfg):
    (root / 'train.lst').write_bytes('0\n1\n2\n'.encode('utf-16'))
    labelled(cfg).ann_file = 'train.lst'


def a_list_with_an_empty_line(root, cfg):
    listed(root, cfg, b'0\n\n1\n')


def a_name_that_is_not_utf8(root, cfg):
    os.rename(os.fsencode(root / 'unlabelled/images/0.png'), os.fsencode(root / 'unlabelled/images') + b'/\xff.png')


def signed_pixels(root, cfg):
    Image.fromarray(np.full((SIZE, SIZE), -3, np.int32)).save(root / 'unlabelled/images/9.tiff')


def no_mask(root, cfg):
    (root / 'labelled/masks/0.png').unlink()


def a_mask_of_another_size(root, cfg):
    save(root / 'labelled/masks/0.png', mask()[:, :12])


def a_value_that_is_no_class(root, cfg):
    save(root / 'labelled/masks/0.png', 2 * mask())


def an_image_of_the_test_set_among_the_unlabelled(root, cfg):
    save(root / 'unlabelled/images/copy.png', image('test', 0))


def no_images(root, cfg):
    shutil.rmtree(root / 'unlabelled/images')


class Case(NamedTuple):
    """A fault and what is said of it."""

    fault: Callable[[Path, Config], None]
    kind: str
    says: str
    is_error: bool = True


CASES = [
    Case(cut_off, 'unreadable', 'expected a readable image'),
    Case(empty, 'unreadable', 'found an empty file'),
    Case(text, 'unreadable', 'found not a readable image'),
    Case(a_named_pipe, 'unreadable', 'found a named pipe, no file'),
    Case(a_mask_that_is_a_named_pipe, 'unreadable', 'masks/0.png (labelled): expected a readable mask, found a named pipe'),
    Case(a_folder_called_as_an_image, 'unreadable', 'found a folder, no file'),
    Case(animated, 'several pages', 'found 3 pages or frames, of which the first is used', False),
    Case(several_pages_of_a_labelled_image, 'several pages', 'found 2 pages or frames, of which the first is used', False),
    Case(twice_in_validation, 'repeated image', 'again.png (validation): expected each image once', False),
    Case(twice_by_pixels, 'repeated image', 'again.bmp (unlabelled): expected each image once', False),
    Case(twice_in_the_list, 'repeated image', 'found it twice', False),
    Case(masks_among_the_images, 'mask among images', '0_mask.png (unlabelled): expected an image', False),
    Case(painted_masks_among_the_images, 'mask among images', 'found grey values [0, 100, 200] alone: is it a mask?', False),
    Case(masks_as_unlabelled_images, 'masks as unlabelled images', 'found masks: 2 of 9 that were opened have a few grey val'),
    Case(one_image_for_a_share_of_two, 'fewer images than a batch takes', 'sampler.num_labeled=2), found 1', False),
    Case(validation_without_defect, 'no defect', '3 masks (validation): expected pixels of a defect'),
    Case(a_test_set_without_defect, 'no defect', '3 masks (test): expected pixels of a defect', False),
    Case(turned_by_180_degrees, 'turned image', 'found turned by 180 degrees when it is read (EXIF orientation 3)', False),
    Case(larger_than_the_memory, 'too large for the memory', 'found 20000 x 20000 (height x width), 6.0 GiB with its mask'),
    Case(a_list_with_a_byte_order_mark, 'list', 'found a byte order mark'),
    Case(a_list_in_utf16, 'list', 'found UTF-16'),
    Case(a_list_of_another_suffix_in_utf16, 'list', 'train.lst (labelled): expected names in UTF-8, one a line'),
    Case(a_list_in_latin1, 'list', 'found a byte in line 2 that is none of UTF-8'),
    Case(a_list_with_an_empty_line, 'list', 'found an empty line (line 2)'),
    Case(signed_pixels, 'unreadable', 'found expected pixels of type uint8, uint16 or float, found int32'),
    Case(no_mask, 'missing pair', 'labelled/images/0.png (labelled): expected its mask'),
    Case(a_mask_of_another_size, 'size mismatch', 'found 16 x 12'),
    Case(a_value_that_is_no_class, 'value outside the classes', 'found [4]'),
    Case(an_image_of_the_test_set_among_the_unlabelled, 'same image: unlabelled and test', 'copy.png'),
    Case(no_images, 'data set cannot be listed', 'holds no image'),
]  # fmt: skip


def problems_of(cfg: Config) -> list:
    """Of the check that training and check_dataset share."""
    sources, problems = find_sources(cfg)
    return problems + check_files(sources, workers=0)[1]


@pytest.fixture
def no_fault(tmp_path):
    return make(tmp_path), config(tmp_path)


def test_nothing_is_said_of_a_set_without_fault(no_fault):
    assert problems_of(no_fault[1]) == []


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.fault.__name__)
def test_a_fault_is_named(case, no_fault, monkeypatch):
    root, cfg = no_fault
    monkeypatch.setattr(file_checks, 'memory_limit', lambda: 8 * 2**30)
    case.fault(root, cfg)
    found = [(problem.kind, problem.is_error) for problem in problems_of(cfg) if case.says in str(problem)]
    assert (case.kind, case.is_error) in found, problems_of(cfg)


def test_a_name_that_is_not_utf8_is_no_fault(no_fault):
    a_name_that_is_not_utf8(*no_fault)
    assert problems_of(no_fault[1]) == []


def test_masks_as_unlabelled_images_are_one_problem_also_at_a_glance(no_fault):
    """From the first files alone it could not be told: those have no defect."""
    root, cfg = no_fault
    masks_as_unlabelled_images(root, cfg)
    for index in range(3):
        save(root / f'unlabelled/images/00{index}.png', np.zeros((SIZE, SIZE + 10 + index), np.uint8))
    for found in (problems_of(cfg), check_quickly(cfg)):
        assert [problem.kind for problem in found] == ['masks as unlabelled images']


def test_no_file_is_opened_twice_at_a_glance(no_fault, monkeypatch):
    """First files, evenly spaced ones and, as some look like masks, more of them are one and the same."""
    root, cfg = no_fault
    masks_as_unlabelled_images(root, cfg)
    opened = []
    monkeypatch.setattr(
        quick, 'inspect_file', lambda source, info: opened.append(info['img_path']) or look(source, info)
    )
    look = file_checks.inspect_file
    check_quickly(cfg)
    assert len([path for path in opened if 'unlabelled' in path]) == 9
    assert len(set(opened)) == len(opened)


def test_a_mask_or_two_in_a_folder_of_images_are_no_error_at_a_glance(no_fault):
    root, cfg = no_fault
    for index in range(3):
        save(root / f'unlabelled/images/{index}_mask.png', np.roll(mask(), index))
        save(root / f'unlabelled/images/{index}_more.png', image('unlabelled', 10 + index))
    assert {(problem.kind, problem.is_error) for problem in check_quickly(cfg)} == {('mask among images', False)}


def test_where_labelled_images_have_few_values_unlabelled_ones_may(no_fault):
    root, cfg = no_fault
    for part in ('labelled', 'unlabelled'):
        for index in range(3):
            save(root / f'{part}/images/{index}.png', np.roll(100 * mask(), index + 3 * (part == 'labelled')))
    for found in (problems_of(cfg), check_quickly(cfg)):
        assert not any(problem.is_error for problem in found)
