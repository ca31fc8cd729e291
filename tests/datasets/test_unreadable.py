"""Images that break in the middle of a training."""

import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmseg.registry import DATASETS

from simeps_mmseg.apis.train import train
from simeps_mmseg.datasets import unreadable
from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.datasets.unreadable import NamedImages, ReplacedImages, guarded, replaced_images
from simeps_mmseg.utils import UserError
from tests.faults.small_set import config, image, make
from tests.helpers import experiment, save


@pytest.fixture
def cfg(tmp_path):
    return config(make(tmp_path))


def build(cfg):
    return guarded(DATASETS.build(cfg.train_dataloader.dataset))


def test_sound_images_come_as_they_are(cfg):
    plain, with_guard = DATASETS.build(cfg.train_dataloader.dataset), build(cfg)
    assert [type(part) for part in with_guard.datasets] == [NamedImages, ReplacedImages]
    assert with_guard.metainfo == plain.metainfo
    for index in range(len(plain)):
        assert torch.equal(with_guard[index]['inputs'], plain[index]['inputs'])
    assert replaced_images(with_guard) == ''


@pytest.mark.parametrize('damage', [lambda file: file.unlink(), lambda file: file.write_bytes(b'no image')])
def test_the_next_stands_for_an_unlabelled_image(damage, cfg, tmp_path):
    dataset = build(cfg)
    damage(tmp_path / 'unlabelled/images/1.png')
    for index, expected in ((3, 0), (4, 2), (5, 2), (4, 2)):
        assert Path(dataset[index]['data_samples'].img_path).name == f'{expected}.png'
    assert replaced_images(dataset) == '1 unlabelled image could not be read and had others in their place'
    again = build(cfg)  # as after a resume
    assert again[4]['data_samples'].img_path == dataset[4]['data_samples'].img_path


def test_the_count_is_common_to_copies(cfg, tmp_path):
    dataset = build(cfg)
    twin = deepcopy(dataset)
    (tmp_path / 'unlabelled/images/1.png').unlink()
    twin[4]
    assert dataset.datasets[1].count == 1


def test_a_labelled_image_or_mask_is_named(cfg, tmp_path):
    dataset = build(cfg)
    (tmp_path / 'labelled/images/0.png').write_bytes(b'')
    (tmp_path / 'labelled/masks/1.png').unlink()
    with pytest.raises(
        UserError, match=r'images/0\.png cannot be read: the file is empty \(train_dataloader\.dataset\.labeled'
    ):
        dataset[0]
    with pytest.raises(UserError, match=r'masks/1\.png cannot be read: no such file'):
        dataset[1]


def test_many_are_too_many(cfg, tmp_path, monkeypatch):
    monkeypatch.setattr(unreadable, 'LEAST_ALLOWED', 1)
    dataset = build(cfg)
    for index in (0, 1):
        (tmp_path / f'unlabelled/images/{index}.png').unlink()
    with pytest.raises(
        UserError, match=r'2 unlabelled images cannot be read, the last: .*1\.png .* Up to 1 are replaced'
    ):
        dataset[3]


def test_what_is_no_matter_of_files_is_raised(cfg):
    dataset = build(cfg)
    for part in dataset.datasets:
        part.dataset.pipeline.transforms.append(lambda results: results['inputs'].no_such_attribute)
    for index in (0, 3):
        with pytest.raises(AttributeError, match='no_such_attribute'):
            dataset[index]


@HOOKS.register_module()
class BreakFile(Hook):
    """Empties files after the first step."""

    def __init__(self, files: list[str]) -> None:
        self.files = files

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        for file in self.files:
            Path(file).write_bytes(b'')


def copied_experiment(synthetic_root, tmp_path, part):
    """An experiment on a copy of the data, and the images of a part of it."""
    shutil.copytree(synthetic_root, tmp_path / 'data')
    cfg = experiment(tmp_path / 'data', tmp_path / 'run', max_iters=7)
    init_default_scope('mmseg')
    source = parts_of(cfg.train_dataloader.dataset)[part == 'unlabelled']
    return cfg, [info['img_path'] for info in DATASETS.build(source).load_data_list()]


def check_outcome(cfg, part, files, tmp_path, check=True):
    """Train: an unlabelled image that breaks is replaced, a labelled one named."""
    cfg.dump(tmp_path / 'config.py')
    if part == 'unlabelled':
        runner = train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'), check=check)
        assert runner.iter == 7
        assert runner.train_dataloader.dataset.datasets[1].count == 1
    else:
        with pytest.raises(UserError) as raised:
            train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'), check=check)
        file, _, reason = str(raised.value).partition(' cannot be read: ')
        assert file in files
        assert reason.startswith('the file is empty (train_dataloader.dataset.labeled)')


@pytest.mark.parametrize('part', ['unlabelled', 'labelled'])
def test_training(part, synthetic_root, tmp_path):
    cfg, files = copied_experiment(synthetic_root, tmp_path, part)
    cfg.custom_hooks.append(dict(type='BreakFile', files=files if part == 'labelled' else files[:1]))
    cfg.experiment_name = cfg.visualizer.name = f'breaks_{part}'
    cfg.train_dataloader.num_workers = int(part == 'labelled')
    check_outcome(cfg, part, files, tmp_path)


@pytest.mark.parametrize('part', ['unlabelled', 'labelled'])
def test_training_with_an_image_that_is_broken_where_colours_are_looked_at(part, synthetic_root, tmp_path):
    """The last of a part: it is none of the first few that are opened before."""
    cfg, files = copied_experiment(synthetic_root, tmp_path, part)
    Path(files[-1]).write_bytes(b'')
    cfg.train_dataloader.dataset.labeled.pipeline.insert(2, dict(type='PhotoMetricDistortion'))
    cfg.experiment_name = cfg.visualizer.name = f'broken_{part}'
    check_outcome(cfg, part, files[-1:], tmp_path, check=False)


def test_the_files_that_training_opens_are_opened_once(cfg, tmp_path, monkeypatch):
    from simeps_mmseg.datasets.checks import files as file_checks
    from simeps_mmseg.datasets.checks.before_training import check_before_training

    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    opened = []
    monkeypatch.setattr(file_checks, '_cores', lambda: 0)
    read = file_checks.read_image
    monkeypatch.setattr(
        file_checks, 'read_image', lambda step, info: opened.append(info['img_path']) or read(step, info)
    )
    first = check_before_training(cfg)
    assert len(opened) == 12
    opened.clear()
    assert check_before_training(cfg) == first
    assert opened == []
    save(tmp_path / 'unlabelled/images/1.png', image('val', 0))  # a leak, which is seen beside the kept ones
    with pytest.raises(UserError, match='same image: unlabelled and validation'):
        check_before_training(cfg)
    assert [Path(file).name for file in opened] == ['1.png']
    assert not list((tmp_path / 'cache').rglob('.partial*'))
