"""Every kind of problem, in generated files, through the whole check."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

from simeps_mmseg.apis.check_dataset import check_dataset
from simeps_mmseg.apis.train import train
from simeps_mmseg.datasets import LabeledUnlabeledSampler
from simeps_mmseg.datasets.checks import before_training
from simeps_mmseg.datasets.checks import files as file_checks
from simeps_mmseg.datasets.checks.before_training import check_before_training
from simeps_mmseg.datasets.checks.files import inspect_sources
from simeps_mmseg.datasets.checks.full import check_files
from simeps_mmseg.datasets.checks.quick import check_quickly
from simeps_mmseg.datasets.checks.sound_files import SoundFiles
from simeps_mmseg.datasets.sources import find_sources
from simeps_mmseg.utils import UserError
from tests.conftest import ROOT
from tests.faults.small_set import SIZE, config, image, make, mask
from tests.helpers import save, with_concat_dataset
from tests.tools.test_tools import run


@pytest.fixture
def root(tmp_path):
    """Three images in each part, nothing wrong."""
    return make(tmp_path)


def check(cfg, tmp_path, capsys, workers=0):
    """Error (or empty) and what was printed."""
    path = tmp_path / 'config.json'
    cfg.dump(path)
    try:
        check_dataset(str(path), workers=workers)
        error = ''
    except UserError as raised:
        error = str(raised)
    return error, capsys.readouterr().out


def test_a_config_of_data_alone(root, tmp_path, capsys):
    cfg = config(root)
    cfg.pop('model')
    error, printed = check(cfg, tmp_path, capsys)
    assert error == ''
    assert '0 errors' in printed


def test_data_sets_may_be_classes(root):
    """As in configs in pure Python."""
    cfg = config(root)
    expected, _ = find_sources(cfg)
    for dataset in (cfg.train_dataloader.dataset.labeled, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
        dataset.type = BaseSegDataset
    found, problems = find_sources(cfg)
    assert problems == []
    assert [len(source.infos) for source in found] == [len(source.infos) for source in expected] == [3] * 4


@pytest.mark.parametrize('kind', ['ReadMyImages', 'mmcv.LoadImageFromFile'])
def test_what_opens_images_may_have_any_name(kind, root, monkeypatch):
    class ReadMyImages(LoadImageFromFile):
        """Of a user's own."""

    monkeypatch.setitem(TRANSFORMS.module_dict, 'ReadMyImages', ReadMyImages)
    cfg = config(root)
    cfg.train_dataloader.dataset.labeled.pipeline[0] = dict(type=kind)
    sources, problems = find_sources(cfg)
    assert (sources[0].rules.image_step, sources[0].rules.mask_step['type']) == (dict(type=kind), 'LoadAnnotations')
    assert problems == []


def test_nothing_wrong(root, tmp_path, capsys):
    error, printed = check(config(root), tmp_path, capsys)
    assert error == ''
    assert '0 errors\n0 warnings' in printed
    row = next(line for line in printed.splitlines() if line.startswith('| labelled'))
    assert [cell.strip() for cell in row.split('|')][2:6] == ['3', '3', '16 x 16', '3']
    assert '14.06 %' in row  # 36 of 256 pixels


@pytest.mark.parametrize(('bands', 'errors'), [(3, ''), (4, '1 error in the data of')])
def test_images_that_views_cannot_take(bands, errors, root, tmp_path, capsys):
    cfg = config(root)
    for index in range(3):
        for part in ('labelled', 'unlabelled'):
            grey = image(part, index)[..., :1]
            Image.fromarray(grey.repeat(bands, axis=2)).save(root / f'{part}/images/{index}.png')
    cfg.train_dataloader.dataset.labeled.pipeline[0] = dict(type='LoadImageFromFile', color_type='unchanged')
    cfg.model.branch.data_preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
    cfg.model.view = dict(type='RandomView', transforms=[dict(type='GaussianBlur', kernel_size=3)])
    error, printed = check(cfg, tmp_path, capsys)
    assert error.startswith(errors)
    assert bool(error) == bool(errors) == ('model.view: transforms take images with 3 bands, got 4' in printed)


def damage_unreadable(root):
    content = (root / 'labelled/images/0.png').read_bytes()
    (root / 'labelled/images/0.png').write_bytes(content[: len(content) // 2])
    (root / 'val/masks/0.png').write_bytes(b'')


def damage_size(root):
    save(root / 'labelled/masks/0.png', mask()[:, :12])


def damage_value(root):
    save(root / 'labelled/masks/0.png', mask() * 2)


def damage_binary(root):
    for index in range(3):
        save(root / f'labelled/masks/{index}.png', (mask() > 0).astype(np.uint8) * 255)


def damage_ignored(root):
    save(root / 'labelled/masks/0.png', np.full((SIZE, SIZE), 255, np.uint8))


def damage_pair(root):
    (root / 'labelled/masks/0.png').unlink()


def damage_leak(root):
    save(root / 'unlabelled/images/deep/copy.bmp', image('test', 1))


def damage_link(root):
    (root / 'unlabelled/linked').symlink_to(root / 'val/images')


def damage_many_copies(root):
    for index in range(3):
        save(root / f'val/images/{index}.png', image('labelled', 0))


def damage_float(root):
    Image.fromarray(np.full((SIZE, SIZE), 7, np.float32)).save(root / 'labelled/images/0.tiff')
    os.replace(root / 'labelled/images/0.tiff', root / 'labelled/images/0.png')
    Image.fromarray(np.full((SIZE, SIZE), 7, np.float32)).save(root / 'unlabelled/images/float.tiff')


def damage_channels(root):
    save(root / 'labelled/masks/0.png', np.repeat(mask()[..., None], 3, axis=2))


ERRORS = [
    (
        damage_unreadable,
        ['unreadable: 2', 'labelled/images/0.png (labelled): expected a readable image', 'an empty file'],
    ),
    (damage_size, ['size mismatch: 1', 'expected 16 x 16 (height x width), as its image, found 16 x 12']),
    (damage_value, ['value outside the classes: 1', 'expected values 0 to 2, 255, found [4] in 18 of 256 pixels']),
    (damage_binary, ['0/255 mask: 3', 'expected class indices (0, 1, ...), found 0 and 255 alone']),
    (damage_ignored, ['all-ignore mask: 1', 'found only ignored pixels (values [255])']),
    (damage_pair, ['missing pair: 1', 'labelled/images/0.png (labelled): expected its mask', 'found no such file']),
    (damage_leak, ['same image: unlabelled and test: 1', 'copy.bmp']),
    (
        damage_many_copies,
        ['same image: labelled and validation: 3', *(f'val/images/{index}.png' for index in range(3))],
    ),
    (
        damage_float,
        [
            'unreadable: 2',
            'found pixels of type float32, which LoadImageFromFile cannot open; LoadImageAsUint8 opens',
            'found expected floats in [0, 1], found values from 7 to 7',
        ],
    ),
    (damage_channels, ['size mismatch: 1', 'a mask has one channel']),
]


def test_validation_images_in_the_unlabelled_folder(root, tmp_path, capsys):
    """They are left out of a folder, and an error in a data set that is written out."""
    damage_link(root)
    assert check(config(root), tmp_path, capsys)[0] == ''
    error, printed = check(with_concat_dataset(config(root)), tmp_path, capsys)
    assert error.startswith('3 errors in the data of ')
    assert 'same image: unlabelled and validation: 3' in printed
    assert 'linked/0.png' in printed


@pytest.mark.parametrize(('damage', 'expected'), ERRORS, ids=lambda value: getattr(value, '__name__', ''))
def test_errors(root, tmp_path, capsys, damage, expected):
    damage(root)
    error, printed = check(config(root), tmp_path, capsys)
    assert re.match(r'1 error in the data of |[2-9] errors in the data of ', error)
    for text in expected:
        assert text in printed


@pytest.mark.parametrize('kind', ['mmseg.LabeledUnlabeledSampler', LabeledUnlabeledSampler])
def test_the_sampler_by_its_scope_or_as_a_class(root, kind):
    cfg = config(root)
    cfg.train_dataloader.sampler.type = kind
    assert [source.part for source in find_sources(cfg)[0]] == ['labelled', 'unlabelled', 'validation', 'test']
    assert check_quickly(cfg) == []


def test_files_are_read_as_the_pipeline_reads_them(root, tmp_path, capsys):
    """Pillow opens floats where OpenCV does not."""
    damage_float(root)
    (root / 'unlabelled/images/float.tiff').unlink()
    cfg = config(root)
    for changes, refused in ((dict(imdecode_backend='pillow'), False), (dict(color_type='grayscale'), True)):
        labelled = cfg.train_dataloader.dataset.labeled
        labelled.pipeline[0] = dict(type='LoadImageFromFile', **changes)
        error, printed = check(cfg, tmp_path, capsys)
        assert bool(error) == ('unreadable: 1' in printed) == refused
        assert (loads(labelled, 0)) != refused


def loads(config, index) -> bool:
    """Whether a data set gives a sample."""
    try:
        return 'inputs' in DATASETS.build(config)[index]
    except AssertionError:
        return False


def test_warnings_do_not_fail(root, tmp_path, capsys):
    for index in range(3):
        save(root / f'labelled/masks/{index}.png', np.minimum(mask(), 1))
    save(
        root / 'unlabelled/images/colour.png',
        np.random.default_rng(9).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8),
    )
    save(root / 'unlabelled/images/copy.png', image('labelled', 0))
    save(root / 'labelled/masks/9.png', mask())
    save(root / 'unlabelled/images/dark.png', np.arange(256).reshape(16, 16).astype(np.uint16))
    error, printed = check(config(root), tmp_path, capsys)
    assert error == ''
    assert '0 errors\n5 warnings' in printed
    for text in (
        'class absent: 1',
        'expected pixels of class 2 (pit), found none',
        'grey and colour mixed: 1',
        'colour.png (unlabelled): expected grey, as 3 of 3 labelled images, found colour',
        'same image: labelled and unlabelled: 1',
        'mask without image: 1',
        'dark 16-bit image: 1',
    ):
        assert text in printed


def test_what_the_data_set_says_is_respected(root, tmp_path, capsys):
    """reduce_zero_label, ignore_index, classes left out, wrappers, test sets without masks."""
    cfg = config(root)
    labelled = cfg.train_dataloader.dataset.labeled
    labelled.reduce_zero_label = True  # 0 is ignored, 1 and 2 become 0 and 1
    labelled.metainfo = dict(classes=('crack', 'pit'), palette=[[1] * 3, [2] * 3])
    cfg.model.branch.decode_head.num_classes = 2
    wrapped = dict(type='RepeatDataset', times=3, dataset=dict(type='ConcatDataset', datasets=[labelled]))
    cfg.train_dataloader.dataset.labeled = wrapped
    cfg.val_dataloader.dataset.ignore_index = 2
    cfg.val_dataloader.dataset.metainfo = dict(classes=('background', 'crack'), palette=[[0] * 3, [1] * 3])
    test = cfg.test_dataloader.dataset
    test.pipeline = [step for step in test.pipeline if step.type != 'LoadAnnotations']
    save(root / 'test/masks/0.png', np.full((3, 3), 77, np.uint8))  # not looked at
    error, printed = check(cfg, tmp_path, capsys)
    assert (error, '0 warnings' in printed) == ('', True)
    row = next(line for line in printed.splitlines() if line.startswith('| labelled'))
    assert [cell.strip() for cell in row.split('|')][-3:-1] == ['66.67 %', '33.33 %']


def test_supervised_configs_too(root, tmp_path, capsys):
    cfg = config(root)
    cfg.train_dataloader.dataset = cfg.train_dataloader.dataset.labeled
    cfg.train_dataloader.sampler = dict(_delete_=True, type='InfiniteSampler')
    cfg.test_dataloader = cfg.val_dataloader
    error, printed = check(cfg, tmp_path, capsys)
    assert error == ''
    assert 'validation is test: 1' in printed
    assert 'all 3 images also in validation' in printed


def test_classes_left_out(tmp_path, synthetic_root):
    from simeps_mmseg.datasets import SyntheticDefectDataset

    classes = SyntheticDefectDataset.METAINFO['classes'][:2]
    dataset = dict(
        type='SyntheticDefectDataset',
        data_root=str(synthetic_root / 'synthetic'),
        ann_file='splits/test.txt',
        data_prefix=dict(img_path='images', seg_map_path='annotations'),
        metainfo=dict(classes=classes),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')],
    )
    sources, problems = find_sources(Config(dict(val_dataloader=dict(dataset=dataset))))
    reports = inspect_sources(sources, workers=0)
    assert problems == []
    assert [p for report in reports for p in report.problems if p.kind != 'all-ignore mask'] == []
    assert {value for report in reports for value in report.classes} == {0, 1, 255}


def test_processes_see_the_same(root, tmp_path, capsys):
    damage_value(root)
    damage_leak(root)
    alone = check(config(root), tmp_path, capsys, workers=0)
    assert check(config(root), tmp_path, capsys, workers=2) == alone


class TestBeforeTraining:
    def test_cheap_part(self, root):
        damage_pair(root)
        kinds = {problem.kind for problem in check_quickly(config(root))}
        assert kinds == {'missing pair'}

    def test_a_pair_that_is_missing_hides_nothing_of_the_others(self, root):
        save(root / 'labelled/images/3.png', image('labelled', 3))
        save(root / 'labelled/masks/3.png', mask() * 2)
        damage_pair(root)
        (root / 'labelled/images/1.png').write_bytes(b'')
        found = [(problem.kind, Path(problem.file).name) for problem in check_quickly(config(root))]
        assert found == [('missing pair', '0.png'), ('unreadable', '1.png'), ('value outside the classes', '3.png')]

    def test_overlap_by_path(self, root):
        cfg = config(root)
        cfg.train_dataloader.dataset.unlabeled = str(root / 'val/images')
        problems = check_quickly(cfg)
        assert {(p.kind, p.is_error) for p in problems} == {('same image: unlabelled and validation', True)}
        assert len(problems) == 3

    def test_a_list_with_suffixes(self, root):
        (root / 'list.txt').write_text('0.png\n1.png\n')
        cfg = config(root)
        cfg.train_dataloader.dataset.labeled.ann_file = 'list.txt'
        assert 'names without .png' in check_quickly(cfg)[0].found

    def test_a_set_that_cannot_be_listed(self, root):
        cfg = config(root)
        cfg.val_dataloader.dataset.type = 'PascalVOCDataset'
        (problem,) = check_quickly(cfg)
        assert (problem.kind, problem.file) == ('data set cannot be listed', 'val_dataloader.dataset')

    def test_masks_of_0_and_255_stop_a_training(self, root):
        damage_binary(root)
        problems = check_quickly(config(root))
        assert {(p.kind, p.part, p.is_error) for p in problems} == {('0/255 mask', 'labelled', True)}
        with pytest.raises(UserError, match=r'0/255 mask: .*write 1'):
            check_before_training(config(root))

    def test_masks_of_0_and_255_are_warned_of_where_others_have_255_beside_classes(self, root):
        for index in range(4):  # more than the three files that are looked at first
            save(root / f'labelled/images/{index}.png', image('labelled', index))
            binary = 255 * (mask() > 0).astype(np.uint8)
            binary[0, 0] = index == 3
            save(root / f'labelled/masks/{index}.png', binary)
        cfg = config(root)
        problems = [problem for problem in check_quickly(cfg) if problem.kind == '0/255 mask']
        assert [problem.is_error for problem in problems] == [False] * 3

    def test_without_test_data(self, root):
        shutil.rmtree(root / 'test')
        cfg = config(root)
        warnings = check_before_training(cfg)
        assert len(warnings) == 1
        assert 'no test data' in warnings[0]
        assert 'test/images' in warnings[0]
        assert cfg.test_dataloader is not None

    def test_training_does_not_begin(self, root, tmp_path):
        damage_size(root)
        metric = dict(type='IoUMetric')
        rest = dict(
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=1),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=metric,
            test_cfg=dict(type='TestLoop'),
            test_evaluator=metric,
        )
        config(root, **rest).dump(tmp_path / 'config.json')
        with pytest.raises(UserError, match=r'cannot be trained on:\n  - size mismatch: .*0\.png'):
            train(str(tmp_path / 'config.json'), work_dir=str(tmp_path / 'run'))
        assert not (tmp_path / 'run').exists()


def test_limit(root, tmp_path, capsys):
    damage_binary(root)
    config(root).dump(tmp_path / 'config.json')
    for limit, shown in ((0, 3), (2, 2)):
        with pytest.raises(UserError, match='in the data'):
            check_dataset(str(tmp_path / 'config.json'), workers=0, limit=limit)
        assert capsys.readouterr().out.count('expected class indices') == shown
    with pytest.raises(UserError, match='--limit is a number of problems, or 0 for all of them; got -3'):
        check_dataset(str(tmp_path / 'config.json'), workers=0, limit=-3)
    assert capsys.readouterr().out == ''


def test_command(root, tmp_path):
    damage_value(root)
    config(root).dump(tmp_path / 'config.json')
    done = run(ROOT / 'simeps_cli.py', 'check_dataset', tmp_path / 'config.json', '--workers', 1, check=False)
    assert done.returncode == 1
    assert 'value outside the classes: 1' in done.stdout
    assert 'error: 1 error in the data' in done.stderr


def test_masks_where_there_must_be_none_and_none_where_there_must_be_some(root, tmp_path, capsys):
    cfg = with_concat_dataset(config(root))
    labelled, unlabelled = cfg.train_dataloader.dataset.datasets
    cfg.train_dataloader.dataset.datasets[1] = dict(labelled, data_root=str(root))
    error, printed = check(cfg, tmp_path, capsys)
    assert error
    assert 'unlabelled part opens masks: 1' in printed
    assert 'datasets[1] (unlabelled): expected no LoadAnnotations in its pipeline' in printed
    cfg = with_concat_dataset(config(root))
    labelled = cfg.train_dataloader.dataset.datasets[0]
    labelled.pipeline, labelled.data_prefix = unlabelled.pipeline, dict(img_path='labelled/images')
    error, printed = check(cfg, tmp_path, capsys)
    assert error
    assert 'datasets[0] (labelled): expected LoadAnnotations in its pipeline' in printed
    assert 'there is nothing to learn from' in printed


def test_links_to_validation_images_are_found_before_training(root):
    (root / 'unlabelled/linked').symlink_to(root / 'val/images')
    with pytest.raises(UserError, match=r'same image: unlabelled and validation: .*linked/'):
        check_before_training(config(root))


def test_rare_classes_are_named_with_weights_for_them(root, tmp_path, capsys):
    common, rare = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    common[: SIZE // 2], rare[0, 0] = 1, 2
    for index in range(3):
        save(root / f'labelled/masks/{index}.png', common if index else rare)
    _, printed = check(config(root), tmp_path, capsys)
    most = 3 * SIZE**2 - 2 * (SIZE**2 // 2) - 1
    expected = float(f'{most**0.5:.2g}')
    assert (
        f'Rare: pit. For the cross-entropy (docs/methods.md, When classes vanish): class_weight=[1.0, 1.4, {expected}]'
        in printed
    )


@pytest.mark.parametrize(('rows', 'is_named'), [(1, True), (2, False)])
def test_a_crack_of_one_in_a_hundred_pixels_is_rare_and_one_of_two_is_not(rows, is_named, root, tmp_path, capsys):
    crack = np.zeros((100, 100), np.uint8)
    crack[:rows] = 1
    for index in range(3):
        save(root / f'labelled/images/{index}.png', np.full((100, 100), 90, np.uint8))
        save(root / f'labelled/masks/{index}.png', crack)
    _, printed = check(config(root), tmp_path, capsys)
    assert ('Rare: ' in printed) == is_named


def test_classes_of_a_like_share_need_no_weights(root, tmp_path, capsys):
    _, printed = check(config(root), tmp_path, capsys)
    assert 'class_weight' not in printed


def test_of_a_large_unlabelled_source_some_are_opened_and_all_are_looked_for(root, monkeypatch):
    """By their paths all are compared; a leak by pixels shows only where both are opened."""
    monkeypatch.setattr(file_checks, '_cores', lambda: 0)
    for index in range(20):
        save(root / f'unlabelled/images/more_{index:02d}.png', image('unlabelled', 100 + index))
    (root / 'unlabelled/images/more_07.png').write_bytes(b'broken')
    (root / 'unlabelled/images/more_09.png').unlink()
    (root / 'unlabelled/images/more_09.png').symlink_to(root / 'val/images/0.png')
    sources, _ = find_sources(config(root))
    reports, problems = check_files(sources, most_unlabeled=5)
    assert sum(report.part == 'unlabelled' for report in reports) == 5
    assert {report.part for report in reports} == {'labelled', 'unlabelled', 'validation', 'test'}
    errors = [(problem.kind, Path(problem.file).name) for problem in problems if problem.is_error]
    assert errors == [('same image: unlabelled and validation', '0.png')]
    _, problems = check_files(sources)
    assert sorted({problem.kind for problem in problems if problem.is_error}) == [
        'same image: unlabelled and validation',
        'unreadable',
    ]


def test_missing_and_repeated_lines_of_a_long_list_are_found_without_opening_files(root, monkeypatch):
    monkeypatch.setattr(file_checks, '_cores', lambda: 0)
    cfg = with_concat_dataset(config(root))
    pipeline = cfg.train_dataloader.dataset.datasets[1].pipeline
    names = [path.stem for path in sorted((root / 'unlabelled/images').iterdir())]
    (root / 'list.txt').write_text('\n'.join([*names, 'nowhere', names[0]]) + '\n')
    cfg.train_dataloader.dataset.datasets[1] = dict(
        type='BaseSegDataset',
        data_root=str(root),
        ann_file='list.txt',
        img_suffix='.png',
        data_prefix=dict(img_path='unlabelled/images'),
        pipeline=pipeline,
    )
    sources, _ = find_sources(cfg)
    (own,) = [source for source in sources if source.part == 'unlabelled']
    assert len(own.infos) == len(names) + 2
    _, problems = check_files(sources, most_unlabeled=1)
    found = [(problem.kind, Path(problem.file).stem, problem.is_error) for problem in problems]
    assert ('missing image', 'nowhere', True) in found
    assert ('repeated image', names[0], False) in found
    assert len([kind for kind, *_ in found if kind in ('missing image', 'repeated image')]) == 2


def test_a_check_that_was_interrupted_goes_on(root, tmp_path, capsys, monkeypatch):
    """Of what it had found sound nothing is opened again, but what has changed; the next check opens all."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    opened = []
    inspect = file_checks.inspect_pair

    def watched(part, rules, info):
        if stop and part == 'validation':
            raise KeyboardInterrupt
        opened.append(Path(info['img_path']).relative_to(root).as_posix())
        return inspect(part, rules, info)

    monkeypatch.setattr(file_checks, 'inspect_pair', watched)
    stop = True
    with pytest.raises(KeyboardInterrupt):
        check(config(root), tmp_path, capsys)
    before = list(opened)
    assert len(before) == 6  # labelled and unlabelled
    save(root / before[0], image('labelled', 9))
    stop = False
    opened.clear()
    error, printed = check(config(root), tmp_path, capsys)
    assert error == ''
    assert '5 images found sound by a check that was interrupted; not opened again' in printed
    assert set(opened) & set(before) == {before[0]}
    opened.clear()
    assert 'interrupted' not in check(config(root), tmp_path, capsys)[1]
    assert set(before) < set(opened)


def test_a_training_knows_what_check_dataset_found_sound(root, tmp_path, capsys, monkeypatch):
    """Nothing is opened twice but what has changed; checks that are repeated add nothing to what is kept."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(file_checks, '_cores', lambda: 0)
    check(config(root), tmp_path, capsys)
    save(root / 'unlabelled/images/0.png', image('unlabelled', 9))
    said = []
    monkeypatch.setattr(before_training, 'print_log', lambda text, *_: said.append(text))
    check_before_training(config(root))
    (line,) = said
    assert re.fullmatch(r'data: 1 image opened with .* s per 1,000; 11 images known to be .*, not opened again', line)
    kept = {file.name: file.read_text() for file in (tmp_path / 'cache/simeps_mmseg/checked').iterdir()}
    check(config(root), tmp_path, capsys)
    assert {file.name: file.read_text() for file in (tmp_path / 'cache/simeps_mmseg/checked').iterdir()} == kept


def test_what_is_found_sound_is_kept_while_a_check_runs(root, tmp_path, monkeypatch):
    """Also by several processes; a line that a kill has cut off is passed over."""
    monkeypatch.setattr(file_checks, 'SAVED_EVERY', 2)
    sources, _ = find_sources(config(root))
    known = SoundFiles(tmp_path / 'known')
    expected = inspect_sources(sources, workers=2, known=known)
    files = sorted((tmp_path / 'known').iterdir())
    content = [file.read_bytes() for file in files]
    assert sum(text.count(b'"digest"') for text in content) == len(expected) - 1  # the last is not one of two
    with files[0].open('ab') as file:
        file.write(b'\n["cut')
    again = SoundFiles(tmp_path / 'known')
    assert inspect_sources(sources, workers=0, known=again) == expected
    assert again.recalled == len(expected) - 1
    again.save()
    last = SoundFiles(tmp_path / 'known')
    assert inspect_sources(sources, workers=0, known=last) == expected
    assert last.recalled == len(expected)


def test_only_some_chunks_are_handed_out_ahead():
    taken = []

    def items():
        for index in range(1000):
            taken.append(index)
            yield index

    with file_checks.mapping(1) as each:
        results = each(abs, items())
        assert next(iter(results)) == 0
        assert len(taken) <= file_checks.CHUNK * (file_checks.AHEAD + 1)
        assert list(results) == list(range(1, 1000))
