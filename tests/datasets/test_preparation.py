import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.datasets.preparation import layout, render, summarize
from simeps_mmseg.datasets.preparation.reader import PreparationError
from simeps_mmseg.datasets.splits import checksum, read_split
from simeps_mmseg.utils import UserError
from tests.helpers import make_dagm, make_magnetic_tile, make_neu, save

MAKERS = dict(neu=make_neu, magnetic_tile=make_magnetic_tile, dagm=make_dagm)
CLASSES = dict(neu='NEUSegDataset', magnetic_tile='MagneticTileDataset', dagm='DAGMDataset')


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def prepare_part(dataset, source, root, **kwargs):
    return prepare_data(dataset, source, root, allow_other_counts=True, **kwargs)


@pytest.mark.parametrize('dataset', MAKERS)
@pytest.mark.parametrize('packed', [False, True], ids=['folder', 'archive'])
def test_layout_fits_the_dataset_class(dataset, packed, tmp_path):
    source = MAKERS[dataset](tmp_path / 'download')
    if packed:
        source = shutil.make_archive(tmp_path / 'download', 'zip', tmp_path / 'download')
    folder = prepare_part(dataset, source, tmp_path / 'data')
    kwargs = dict(type=CLASSES[dataset], data_root=str(folder))
    load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
    prefix = dict(img_path='images', seg_map_path='annotations')
    for split in ('test.txt', 'seed0/train.txt', 'seed0/val.txt', 'seed0/50pct_labeled.txt'):
        images = DATASETS.build(dict(**kwargs, ann_file=f'splits/{split}', data_prefix=prefix, pipeline=load))
        assert len(images) == len(read_split(folder / 'splits' / split)) > 0
        masks = [images[i]['gt_seg_map'] for i in range(len(images))]
        assert set(np.unique(np.concatenate([m.ravel() for m in masks]))) <= set(range(len(images.metainfo['classes'])))
        assert all(images[i]['img'].shape[:2] == masks[i].shape for i in range(len(images)))
    unlabeled = DATASETS.build(
        dict(
            **kwargs,
            ann_file='splits/seed0/50pct_unlabeled.txt',
            data_prefix=dict(img_path='images'),
            pipeline=load[:1],
        )
    )
    assert all('seg_map_path' not in unlabeled[i] for i in range(len(unlabeled)))


def test_magnetic_tile_masks_are_thresholded_and_named_by_their_folder(tmp_path):
    folder = prepare_part('magnetic_tile', make_magnetic_tile(tmp_path), tmp_path / 'data')
    mask = np.asarray(Image.open(next((folder / 'annotations/crack').iterdir())))
    assert set(np.unique(mask)) == {0, 3}
    assert (mask[20, 10:24] == 0).all()  # 90 is below the threshold
    assert (mask[21, 10:24] == 3).all()  # 128 above
    defective = {line for name in ('test.txt', 'seed0/train.txt') for line in read_split(folder / 'splits' / name)}
    assert not any(name.startswith('free/') for name in defective)
    without = read_split(folder / 'splits/without_defect.txt')
    assert len(without) == 9  # the free ones and the empty Uneven one
    assert not defective & set(without)


def test_magnetic_tile_has_one_test_set_for_all_seeds(tmp_path):
    source = make_magnetic_tile(tmp_path)
    folder = prepare_part('magnetic_tile', source, tmp_path / 'data', seed=0)
    test = read_split(folder / 'splits/test.txt')
    prepare_part('magnetic_tile', source, tmp_path / 'data', seed=1)
    assert read_split(folder / 'splits/test.txt') == test
    assert read_split(folder / 'splits/seed0/val.txt') != read_split(folder / 'splits/seed1/val.txt')
    assert {name.split('/')[0] for name in test} == {'blowhole', 'break', 'crack', 'fray', 'uneven'}


def test_dagm_class_is_the_texture(tmp_path):
    folder = prepare_part('dagm', make_dagm(tmp_path), tmp_path / 'data')
    mask = np.asarray(Image.open(folder / 'annotations/train/class10_0001.png'))
    assert set(np.unique(mask)) == {0, 10}
    assert not np.asarray(Image.open(folder / 'annotations/train/class10_0008.png')).any()


@pytest.mark.parametrize('dataset', MAKERS)
def test_no_two_test_images_share_a_file_name(dataset, tmp_path):
    """MMSegmentation writes predictions by file name, whatever the folder."""
    folder = prepare_part(dataset, MAKERS[dataset](tmp_path), tmp_path / 'data')
    names = [Path(name).name for name in read_split(folder / 'splits/test.txt')]
    assert len(set(names)) == len(names) > 0


def test_a_lost_dagm_label_is_no_image_without_defect(tmp_path):
    source = make_dagm(tmp_path)
    (source / 'Class3/Test/Label/0001_label.PNG').unlink()
    with pytest.raises(PreparationError, match=r'Class3/Test/0001.PNG: Labels.txt says that it has a defect'):
        prepare_part('dagm', source, tmp_path / 'data')
    assert not (tmp_path / 'data/dagm').exists()


def test_a_linked_folder_stays_a_link(tmp_path):
    source = make_neu(tmp_path)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'large disk').mkdir()
    (tmp_path / 'data/neu_seg').symlink_to(tmp_path / 'large disk')
    for _ in range(2):
        folder = prepare_part('neu', source, tmp_path / 'data')
        assert folder.is_symlink()
        assert (tmp_path / 'large disk/images/training/000001.jpg').is_file()
        (folder / 'images/training/000001.jpg').unlink()


def test_what_users_put_beside_the_splits_is_left_alone(tmp_path):
    source = make_neu(tmp_path)
    folder = prepare_part('neu', source, tmp_path / 'data')
    (folder / 'splits/seed0/mine.txt').write_text('training/000001.jpg\n')
    (folder / 'splits/.DS_Store').write_bytes(b'\x00\xff')
    prepare_part('neu', source, tmp_path / 'data')
    assert 'mine' not in [row[0] for row in layout.summarize(folder)]
    (folder / 'images/training/000001.jpg').unlink()
    prepare_part('neu', source, tmp_path / 'data')


def test_a_part_of_the_set_is_accepted_each_time_anew(tmp_path):
    source = make_neu(tmp_path)
    prepare_part('neu', source, tmp_path / 'data')
    with pytest.raises(PreparationError, match='training images: found 40, expected 3630'):
        prepare_data('neu', source, tmp_path / 'data')


def test_splits_of_other_options_are_replaced_with_a_word(tmp_path, capsys):
    source = make_neu(tmp_path)
    prepare_part('neu', source, tmp_path / 'data')
    prepare_part('neu', source, tmp_path / 'data')
    assert 'other options' not in capsys.readouterr().out
    splits = tmp_path / 'data/neu_seg/splits/seed0'
    for name in ('5pct_round1_labeled', '2pct_labeled'):  # of rank_unlabeled; of this function, with a fraction more
        (splits / f'{name}.txt').write_text('training/000001.jpg\n')
    prepare_part('neu', source, tmp_path / 'data', val_fraction=0.3)
    assert (splits / '5pct_round1_labeled.txt').is_file()
    assert not (splits / '2pct_labeled.txt').exists()
    assert 'split files of seed 0 were made with other options and are replaced' in capsys.readouterr().out


def test_twice_is_the_same_and_images_are_not_written_again(tmp_path, monkeypatch):
    source = make_neu(tmp_path)
    folder = prepare_part('neu', source, tmp_path / 'data')
    before = tree(folder)
    monkeypatch.setattr(layout, '_write_images', lambda *args: pytest.fail('written again'))
    prepare_part('neu', source, tmp_path / 'data')
    assert tree(folder) == before
    prepare_part('neu', source, tmp_path / 'data', seed=4, fractions=[12.5])
    added = set(tree(folder)) - set(before)
    assert 'splits/seed4/12.5pct_labeled.txt' in added
    assert all(name.startswith('splits/seed4/') for name in added)


def test_a_missing_file_is_repaired_and_other_splits_are_kept(tmp_path):
    source = make_neu(tmp_path)
    folder = prepare_part('neu', source, tmp_path / 'data')
    complete = tree(folder)
    (folder / 'images/training/000001.jpg').unlink()
    (folder / 'splits/mine.txt').write_text('training/000002\n')
    prepare_part('neu', source, tmp_path / 'data')
    assert tree(folder) == {**complete, 'splits/mine.txt': b'training/000002\n'}


def test_a_replacement_cut_off_in_the_middle_is_undone(tmp_path, monkeypatch):
    source = make_neu(tmp_path)
    folder = prepare_part('neu', source, tmp_path / 'data')
    (folder / 'splits/mine.txt').write_text('training/000002\n')
    (folder / 'images/training/000001.jpg').unlink()
    rename = os.rename

    def fail_at_the_second(old, new):
        if Path(new) == folder:
            raise KeyboardInterrupt
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(layout.os, 'rename', fail_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            prepare_part('neu', source, tmp_path / 'data')
    prepare_part('neu', source, tmp_path / 'data')
    assert (folder / 'images/training/000001.jpg').exists()
    assert (folder / 'splits/mine.txt').exists()
    assert os.listdir(tmp_path / 'data') == ['neu_seg']


def test_generated_images_follow_their_options(tmp_path):
    folder = prepare_data('synthetic', data_root=tmp_path, num_train=12, num_test=2, size=32)
    before = tree(folder / 'images')
    prepare_data('synthetic', data_root=tmp_path, num_train=12, num_test=2, size=32, image_seed=1)
    assert tree(folder / 'images') != before
    prepare_data('synthetic', data_root=tmp_path, num_train=12, num_test=2, size=40)
    assert Image.open(folder / 'images/test/00000.png').size == (40, 40)


def test_fractions_never_mix_with_another_validation_set(tmp_path):
    def prepared(**kwargs):
        return prepare_data('synthetic', data_root=tmp_path, num_train=40, num_test=2, size=32, **kwargs)

    folder = prepared(fractions=[40])
    prepared(fractions=[60])
    assert (folder / 'splits/seed0/40pct_labeled.txt').exists()
    prepared(val_fraction=0.5)
    assert not (folder / 'splits/seed0/40pct_labeled.txt').exists()
    validation = set(read_split(folder / 'splits/seed0/val.txt'))
    assert not any(validation & set(read_split(path)) for path in (folder / 'splits/seed0').glob('*pct_*.txt'))


def test_a_split_without_images_is_named(tmp_path):
    folder = prepare_data('synthetic', data_root=tmp_path, num_train=12, num_test=2, size=32, fractions=[100])
    dataset = dict(type='SyntheticDefectDataset', data_root=str(folder), data_prefix=dict(img_path='images'))
    with pytest.raises(UserError, match=r'100pct_unlabeled.txt names no images'):
        DATASETS.build(dict(**dataset, ann_file='splits/seed0/100pct_unlabeled.txt'))
    with pytest.raises(UserError, match=r'7pct_labeled.txt is not there: write it with'):
        DATASETS.build(dict(**dataset, ann_file='splits/seed0/7pct_labeled.txt'))


@pytest.mark.parametrize('moment', ['_write_pair', '_write_splits', '_replace'])
def test_an_interruption_leaves_nothing_half(tmp_path, monkeypatch, moment):
    source = make_neu(tmp_path)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(layout, moment, interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_part('neu', source, tmp_path / 'data')
    assert not (tmp_path / 'data').exists() or not os.listdir(tmp_path / 'data')
    folder = prepare_part('neu', source, tmp_path / 'data')
    assert (folder / 'splits/test.txt').exists()
    assert os.listdir(tmp_path / 'data') == ['neu_seg']


def refuses(dataset, source, root, *messages, **kwargs):
    with pytest.raises(UserError) as caught:
        prepare_data(dataset, source, root, **kwargs)
    for message in messages:
        assert message in str(caught.value)
    assert not root.exists() or not list(root.iterdir())


class TestBadInput:
    def test_every_bad_file_is_named(self, tmp_path):
        source = make_neu(tmp_path)
        cut = source / 'images/training/000003.jpg'
        cut.write_bytes(cut.read_bytes()[:200])
        save(source / 'annotations/training/000005.png', np.zeros((8, 9), np.uint8))
        save(source / 'annotations/test/000002.png', np.full((32, 32), 200, np.uint8))
        save(source / 'annotations/test/000003.png', np.zeros((32, 32, 3), np.uint8))
        (source / 'images/test/000004.jpg').write_bytes(b'')
        (source / 'annotations/training/000007.png').unlink()
        refuses(
            'neu',
            source,
            tmp_path / 'data',
            '6 problem(s), nothing was written',
            'images/training/000007.jpg: no mask of that name',
            'images/training/000003.jpg: not a readable image',
            'annotations/training/000005.png: the mask is 8x9 (height x width), its image',
            'annotations/test/000002.png: the mask holds [200], expected values from 0 to 3',
            'annotations/test/000003.png: expected a mask with one channel',
            'images/test/000004.jpg: not a readable image',
            allow_other_counts=True,
        )

    def test_images_and_masks_without_a_partner(self, tmp_path):
        source = make_neu(tmp_path)
        (source / 'annotations/training/000003.png').unlink()
        (source / 'images/test/000001.jpg').unlink()
        refuses(
            'neu',
            source,
            tmp_path / 'data',
            'images/training/000003.jpg: no mask of that name',
            'annotations/test/000001.png: no image of that name',
            allow_other_counts=True,
        )

    def test_images_of_another_size(self, tmp_path):
        message = 'images/test/000006.jpg: the image is 32x32 (height x width), expected 200x200'
        refuses('neu', make_neu(tmp_path), tmp_path / 'data', '46 problem(s)', message)

    def test_a_folder_of_somebody_else_is_not_touched(self, tmp_path):
        source = make_magnetic_tile(tmp_path / 'elsewhere')
        target = tmp_path / 'data/magnetic_tile'
        target.parent.mkdir()
        source.rename(target)
        before = tree(target)
        with pytest.raises(UserError, match='magnetic_tile is there already and was not written by this tool'):
            prepare_part('magnetic_tile', target, tmp_path / 'data')
        assert tree(target) == before

    def test_incomplete_data_set(self, tmp_path):
        refuses(
            'neu',
            make_neu(tmp_path, size=200),
            tmp_path / 'data',
            'training images: found 40, expected 3630',
            'test images: found 6, expected 840',
            'training images with inclusion: found 14, expected 1460',
            '--allow-other-counts',
        )

    @pytest.mark.parametrize('dataset', MAKERS)
    def test_another_archive(self, dataset, tmp_path):
        other = 'dagm' if dataset != 'dagm' else 'neu'
        refuses(dataset, MAKERS[other](tmp_path), tmp_path / 'data', 'no *.', 'Expected')

    def test_missing_source(self, tmp_path):
        refuses('neu', tmp_path / 'nowhere.zip', tmp_path / 'data', 'nowhere.zip is not there')

    def test_no_archive(self, tmp_path):
        (tmp_path / 'page.zip').write_text('<html>')
        refuses('neu', tmp_path / 'page.zip', tmp_path / 'data', 'neither a folder nor a complete zip archive')

    def test_damaged_archive(self, tmp_path):
        make_neu(tmp_path / 'download')
        archive = Path(shutil.make_archive(tmp_path / 'download', 'zip', tmp_path / 'download'))
        content = bytearray(archive.read_bytes())
        with zipfile.ZipFile(archive) as files:
            info = files.getinfo('NEU_Seg-main/images/training/000002.jpg')
        at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
        content[at : at + 40] = bytes(40)
        archive.write_bytes(content)
        message = 'images/training/000002.jpg: the archive is damaged here'
        refuses('neu', archive, tmp_path / 'data', '1 problem(s)', message, allow_other_counts=True)

    def test_defect_among_the_free_tiles(self, tmp_path):
        source = make_magnetic_tile(tmp_path)
        mask = sorted((source / 'MT_Free/Imgs').glob('*.png'))[0]
        array = np.array(Image.open(mask))
        array[0, 0] = 255
        save(mask, array)
        refuses('magnetic_tile', source, tmp_path / 'data', '1 defect pixels in the folder', allow_other_counts=True)

    @pytest.mark.parametrize(
        ('kwargs', 'message'),
        [
            (dict(fractions=[0]), '--fractions'),
            (dict(seed=-1), '--seed'),
            (dict(val_fraction=1.5), '--val-fraction'),
            (dict(size=8), 'size must be 32 or more, got 8'),
        ],
    )
    def test_arguments(self, kwargs, message, tmp_path):
        refuses('synthetic', None, tmp_path / 'data', message, **kwargs)


class TestSynthetic:
    def test_depends_on_seed_and_index_alone(self):
        for a, b in zip(render(5, seed=1), render(5, seed=1)):
            np.testing.assert_array_equal(a, b)
        assert not np.array_equal(render(5, seed=1)[0], render(5, seed=2)[0])
        assert not np.array_equal(render(5)[0], render(6)[0])

    def test_every_class_occurs_and_some_surfaces_are_free(self):
        masks = [render(i, size=64)[1] for i in range(60)]
        for kind in (1, 2, 3):
            assert 10 < sum((mask == kind).any() for mask in masks) < 55
        assert 1 <= sum(not mask.any() for mask in masks) < 15

    def test_defects_can_be_seen(self):
        """Inside a defect the surface differs from what is around it by more than chance."""
        differences = []
        for index in range(40):
            image, mask = render(index)
            if (mask == 3).sum() > 20:
                differences.append(image[mask == 0].mean() - image[mask == 3].mean())
        assert np.mean(differences) > 15


class TestRealDownloads:
    def test_neu(self, real_data, tmp_path):
        folder = prepare_data('neu', real_data / 'NEU_Seg-main.zip', tmp_path)
        rows = {name: (images, digest, present) for name, images, digest, present, _ in summarize(folder)}
        assert rows['test'][0] == 840
        assert rows['train'][0] == 3085
        assert rows['val'][0] == 545
        assert rows['10pct_labeled'][:2] == (308, 'c2a3974ef811')
        assert rows['10pct_unlabeled'][0] == 2777
        assert [a + b for a, b in zip(rows['train'][2], rows['val'][2])][1:] == [1460, 1448, 1429]

    def test_magnetic_tile(self, real_data, tmp_path):
        folder = prepare_data('magnetic_tile', real_data / 'Magnetic-tile-defect-datasets.-master.zip', tmp_path)
        rows = {name: images for name, images, *_ in summarize(folder)}
        assert (rows['train'], rows['test']) == (263, 78)
        validation = read_split(folder / 'splits/seed0/val.txt')
        without = read_split(folder / 'splits/without_defect.txt')
        assert len(without) == 956
        # 388 - 263 - 78 of the 388 defective images are 12.1 %, and so are 116 of the 956 others.
        assert (len(set(validation) - set(without)), len(set(validation) & set(without))) == (47, 116)


def test_checksum_depends_on_every_name():
    assert checksum(['a', 'b']) != checksum(['a', 'c'])
