import importlib.util
from argparse import Namespace

import pytest

from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.datasets.splits import make_splits, read_split
from tests.conftest import ROOT

SPEC = importlib.util.spec_from_file_location('label_next', ROOT / 'benchmarks/label_next.py')
label_next = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(label_next)


def test_table_compares_within_seeds():
    lines = [
        dict(run=dict(arm=arm, seed=seed), labeled=4, test=dict.fromkeys(label_next.SCORES, score))
        for arm, scores in dict(start=[50.0], ranked=[60.0, 70.0], score=[50.0], random=[58.0, 66.0, 99.0]).items()
        for seed, score in enumerate(scores)
    ]
    rows = label_next.table(lines).splitlines()
    assert rows[2] == '| start, 4 images | 1 | 50.0 | 50.0 | 50.0 |'
    assert rows[-2].startswith('| ranked less random | 2 | 3.0 ± 1.4 |')
    assert rows[-1].startswith('| score less random | 1 | -8.0 |')


def test_starting_split_is_a_prefix_of_the_prepared_ones(tmp_path):
    names = [f'training/{index:03d}' for index in range(100)]
    splits = make_splits(names, seed=0, fractions=(10,))
    folder = tmp_path / 'data/neu_seg/splits/seed0'
    folder.mkdir(parents=True)
    for part in ('train', 'val'):
        (folder / f'{part}.txt').write_text('\n'.join(getattr(splits, part)))
    args = Namespace(data_root=tmp_path / 'data', work_dir=tmp_path / 'work')
    run = dict(arm='start', seed=1, split_seed=0, percent=5.0)
    prefix = label_next.split_of(run, args)
    labeled, unlabeled = (read_split(f'{prefix}_{part}.txt') for part in ('labeled', 'unlabeled'))
    assert set(labeled) < set(splits.labeled[10.0])
    assert sorted([*labeled, *unlabeled]) == splits.train
    random = label_next.split_of({**run, 'arm': 'random', 'pool': None}, args)
    added = set(read_split(f'{random}_labeled.txt')) - set(labeled)
    assert len(added) == len(labeled)
    assert not added & set(read_split(f'{random}_unlabeled.txt'))
    (folder / 'val.txt').write_text('\n'.join([*splits.val[1:], splits.train[0]]))
    (folder / 'train.txt').write_text('\n'.join([*splits.train[1:], splits.val[0]]))
    with pytest.raises(SystemExit, match='was prepared with --stratify or --val-fraction'):
        label_next.split_of(run, args)


@pytest.mark.parametrize('config', ['simeps/unet_neu_10pct.py', 'ensemble/unet_neu_10pct.py'])
def test_any_config_gets_the_protocol(config, tmp_path):
    args = Namespace(data_root=tmp_path / 'data', work_dir=tmp_path / 'work')
    run = dict(arm='ranked', seed=1, config=config, iters=30, size=48, batch=3, test_images=None)
    cfg = label_next.experiment(run, args, tmp_path / 'split')
    dataset, semi = cfg.train_dataloader.dataset, config.startswith('simeps')
    files = [source['ann_file'] for source in parts_of(dataset) or (dataset,)]
    assert files == [str(tmp_path / f'split_{part}.txt') for part in ('labeled', 'unlabeled')][: 1 + semi]
    assert cfg.train_dataloader.batch_size == (6 if semi else 3)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 30
    assert {step.scale for step in cfg.test_dataloader.dataset.pipeline if step.type == 'Resize'} == {(48, 48)}
