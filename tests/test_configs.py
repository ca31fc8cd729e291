"""Every shipped config is parsed and built; the small ones train a step."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import DATA_SAMPLERS, DATASETS, MODELS

from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.models.utils import replace_sync_bn
from simeps_mmseg.models.utils.pretrained import remove_pretrained
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.configs import doubtful_options, merge_options, parse_options, read_config
from simeps_mmseg.utils.paths import find_config
from tests.conftest import ROOT
from tests.helpers import make_dagm, make_magnetic_tile, make_neu, make_samples

LEAVES = sorted(path.relative_to(ROOT / 'configs').as_posix() for path in (ROOT / 'configs').glob('[!_]*/*.py'))
SEMI = [leaf for leaf in LEAVES if not leaf.startswith(('supervised/', 'ensemble/'))]


@pytest.fixture(scope='session')
def data_root(tmp_path_factory) -> Path:
    """A ``data/`` folder with a few generated images of every data set in its real layout."""
    root = tmp_path_factory.mktemp('all')
    makers = dict(neu=make_neu, magnetic_tile=make_magnetic_tile, dagm=make_dagm)
    for name, make in makers.items():
        source = make(root / 'downloads' / name)
        prepare_data(name, source, root / 'data', allow_other_counts=True)
    prepare_data('synthetic', data_root=root / 'data', num_train=40, num_test=4, size=64, fractions=[2])
    return root / 'data'


def load(leaf: str, data_root: Path) -> Config:
    if 'released' in leaf:
        pytest.importorskip('albumentations', reason='the released augmentation is that of albumentations')
    if 'efficientnet' in leaf:
        pytest.importorskip('timm', reason='EfficientNet-Lite0 is of timm')
    cfg = Config.fromfile(ROOT / 'configs' / leaf)
    for _, node in walk_dicts(cfg._cfg_dict):
        if 'data_root' in node:
            node['data_root'] = str(data_root / Path(node['data_root']).name)
    return cfg


def twin(leaf: str) -> str:
    """The labels-only config of a leaf; of several networks that of the first."""
    return f'supervised/{Path(leaf).name.replace("mixed", "deeplabv3plus")}'


@pytest.mark.parametrize('leaf', LEAVES)
def test_builds(leaf, data_root):
    cfg = load(leaf, data_root)
    remove_pretrained(cfg)
    model = MODELS.build(cfg.model)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = DATASETS.build(cfg[loader].dataset)
        assert len(dataset) > 0
        assert len(dataset.metainfo['classes']) == model.num_classes
    sample = dataset[0]
    assert sample['inputs'].shape[0] == 3
    assert 'gt_sem_seg' in sample['data_samples']


@pytest.mark.parametrize('leaf', LEAVES)
def test_augmented_tests_see_images_of_the_same_size(leaf, data_root):
    cfg = load(leaf, data_root)

    def scales(pipeline):
        return {tuple(node['scale']) for _, node in walk_dicts(pipeline) if node.get('type') == 'Resize'}

    assert scales(cfg.tta_pipeline) == scales(cfg.test_pipeline)


@pytest.mark.parametrize('leaf', SEMI)
def test_differs_from_its_twin_in_nothing_but_the_method(leaf, data_root):
    semi, supervised = load(leaf, data_root), load(twin(leaf), data_root)
    first = semi.model.branch if 'branch' in semi.model else semi.model.branches[0]
    assert first == supervised.model
    assert semi.optim_wrapper.optimizer == supervised.optim_wrapper.optimizer
    # The demo's starts from its twin, so it has a schedule of its own.
    schedule = ('param_scheduler', 'train_cfg') if leaf != 'simeps_plus/unet_synthetic_2pct.py' else ()
    for key in (*schedule, 'val_dataloader', 'test_dataloader', 'randomness'):
        assert semi[key] == supervised[key], key
    labeled, unlabeled = parts_of(semi.train_dataloader.dataset)
    assert labeled == supervised.train_dataloader.dataset
    assert semi.train_dataloader.sampler.num_labeled == supervised.train_dataloader.batch_size
    assert 'seg_map_path' not in unlabeled['data_prefix']
    assert unlabeled['pipeline'] == [step for step in labeled['pipeline'] if step.type != 'LoadAnnotations']
    assert unlabeled['ann_file'] == labeled['ann_file'].replace('_labeled', '_unlabeled')


LARGE = [f'simeps/{name}_neu_10pct.py' for name in ('mixed', 'upernet_convnext_t', 'upernet_mmpretrain_r18')]


@pytest.mark.parametrize(
    'leaf',
    [
        *(leaf for leaf in LEAVES if leaf.endswith('/unet_neu_10pct.py')),  # one of each method
        'simeps/unet_synthetic_2pct.py',
        *(pytest.param(leaf, marks=pytest.mark.slow) for leaf in LARGE),
    ],
)
def test_trains_a_step(leaf, data_root, tmp_path):
    cfg = load(leaf, data_root)
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    cfg.train_cfg.update(max_iters=1, val_interval=10, val_begin=10)
    for _, node in walk_dicts(cfg._cfg_dict):
        if node.get('type') == 'Resize':
            node['scale'] = (32, 32)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1


RELEASED_RAMPS = dict(
    dagm=(12000, 60, 23970), magnetic_tile=(10000, 50, 17371), neu=(30000, 150, 48000), synthetic=(30000, 150, 48000)
)


@pytest.mark.parametrize('leaf', [leaf for leaf in SEMI if leaf.startswith('simeps/')])
def test_lambda_is_that_of_the_data_set(leaf, data_root):
    cfg = load(leaf, data_root)
    expected = 200.0 if 'magnetic_tile' in leaf or 'dagm' in leaf else 50.0
    assert cfg.model.similarity.loss_weight == expected


@pytest.mark.parametrize('leaf', [leaf for leaf in SEMI if leaf.startswith('simeps/')])
def test_the_ramp_is_that_of_the_data_set(leaf, data_root):
    hook, *others = load(leaf, data_root).custom_hooks
    # Of the released code: steps until w(t) is full, steps between two of its changes, steps in all.
    full, interval, steps = next(ramp for name, ramp in RELEASED_RAMPS.items() if name in leaf)
    if 'dropout' in leaf or 'released' in leaf:
        expected = dict(rampup_iters=full, rampup_interval=interval, from_zero=False)
    else:
        expected = dict(rampup_share=pytest.approx(full / steps, abs=1e-3), labels_only_share=0.25)
    assert hook == dict(type='SemiSupervisedHook', **expected)
    # Released recipes know no stretch on labels alone, so there is nothing to guard.
    assert [other.type for other in others] == ([] if 'from_zero' in expected else ['LabelsOnlyGuardHook'])


def test_the_ensemble_learns_from_labels_alone(data_root):
    cfg = load('ensemble/unet_neu_10pct.py', data_root)
    supervised = load('supervised/unet_neu_10pct.py', data_root)
    assert cfg.train_dataloader == supervised.train_dataloader
    assert cfg.model.branch == supervised.model
    cfg.model.branch.backbone.base_channels = 4
    cfg.model.branch.decode_head.update(in_channels=4, channels=4)
    model = MODELS.build(cfg.model).train()
    losses = model.loss(torch.randn(2, 3, 32, 32), make_samples(2, True, (32, 32)))
    assert {key.split('.')[0] for key in losses} == {'branch_0', 'branch_1', 'branch_2'}


def test_the_paper_recipe_is_stated(data_root):
    cfg = load('simeps/dropout_unet_neu_10pct.py', data_root)
    assert cfg.model.similarity == dict(
        type='SimilarityConsistencyLoss', stages=dict(logits=1.0), loss_weight=50.0, ramp=False, reference_batch=None
    )
    assert cfg.custom_hooks == [
        dict(type='SemiSupervisedHook', rampup_iters=30000, rampup_interval=150, from_zero=False)
    ]
    assert cfg.train_cfg.max_iters == 48000
    assert (cfg.train_dataloader.sampler.num_labeled, cfg.train_dataloader.sampler.num_unlabeled) == (16, 16)
    assert parts_of(cfg.train_dataloader.dataset)[0]['pipeline'][2].scale == (256, 256)
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-3)
    model = MODELS.build(cfg.model)
    assert {sum(p.numel() for p in branch.parameters()) for branch in model.branches} == {1814052}


@pytest.mark.parametrize(
    ('name', 'stages', 'ensemble', 'rate', 'steps'),
    [
        ('neu', {'logits': 1.0}, 'max', 1e-3, 48000),
        ('dagm', {'encoder': 1.0, 'decoder': 1.0}, 'max', 2e-3, 23970),
        ('magnetic_tile', {'logits': 1.0}, 'mean', 2e-3, 17371),
    ],
)
def test_released_recipes_are_those_of_their_scripts(name, stages, ensemble, rate, steps):
    cfg = Config.fromfile(ROOT / f'configs/simeps/released_unet_{name}_10pct.py')
    assert (cfg.model.similarity.stages, cfg.model.cross_pseudo.ensemble) == (stages, ensemble)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_iters) == (rate, steps)
    assert (cfg.model.similarity.ramp, cfg.model.similarity.reference_batch) == (False, None)
    (schedule,) = cfg.param_scheduler
    assert (schedule.type, schedule.factor) == ('ReduceOnPlateauLR', 0.1)
    # Validations that bring nothing, in iterations: 51 epochs of 59, 30 or 29.
    waits = (schedule.patience + 1) * cfg.train_cfg.val_interval
    assert waits == pytest.approx(51 * dict(neu=59, dagm=30, magnetic_tile=29)[name], abs=10)


@pytest.mark.parametrize('file', [path.stem for path in (ROOT / 'configs/_base_/semi').glob('*.py')])
def test_methods_have_the_same_two_names(file):
    cfg = Config.fromfile(ROOT / f'configs/_base_/semi/{file}.py')
    assert cfg.keys() - {'strong_view', 'cut_mix'} == {'semi_model', 'semi_hooks'}
    assert cfg.semi_hooks[0].type == 'SemiSupervisedHook'
    assert cfg.semi_model.type.endswith('Segmentor')


def test_a_method_by_its_own_name_says_what_to_write(tmp_path):
    config = tmp_path / 'mine.py'
    semi = (ROOT / 'configs/_base_/semi/simeps_plus.py').as_posix()
    config.write_text(f"_base_ = ['{semi}']\nmodel = dict(**_base_.simeps_plus)\n")
    with pytest.raises(UserError, match=r"no attribute 'simeps_plus'\. .* write model = dict\(_delete_=True, branch="):
        read_config(config)


@pytest.mark.parametrize(
    ('base', 'hint'),
    [
        (
            '_base_/datasets/neu_seg_5pct.py',
            '; take _base_/datasets/semi_neu_seg.py as a base, with train_dataloader.dataset.split=splits/seed0/5pct, or for '
            'labels only neu_seg.py, with train_dataloader.dataset.ann_file=splits/seed0/5pct_labeled.txt',
        ),
        (
            'simeps/unet_neu_5pct.py',
            '; take simeps/unet_neu_10pct.py with --cfg-options train_dataloader.dataset.split=splits/seed0/5pct',
        ),
        ('simeps/unheard_of_5pct.py', "/configs/simeps/unheard_of_5pct.py'"),
    ],
)
def test_a_base_of_another_share_of_the_labels_says_what_to_write(base, hint, tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = ['{(ROOT / 'configs' / base).as_posix()}']\n")
    with pytest.raises(UserError, match=rf'cannot be read: .*{re.escape(hint)}$'):
        read_config(config)


@pytest.mark.parametrize('leaf', LEAVES)
def test_a_leaf_of_another_share_of_the_labels_says_which_option_to_give(leaf):
    wanted = re.sub(r'_\d+pct', '_7pct', leaf)
    with pytest.raises(UserError, match=rf'{wanted} is not there; take {leaf} with --cfg-options (\S+)$') as caught:
        find_config(wanted)
    cfg, option = Config.fromfile(ROOT / 'configs' / leaf), str(caught.value).split()[-1]
    assert list(doubtful_options(cfg, parse_options([option]))) == []
    merge_options(cfg, [option])
    (names,) = cfg.train_dataloader.dataset.keys() & {'split', 'ann_file'}
    assert cfg.train_dataloader.dataset[names].removesuffix('_labeled.txt') == 'splits/seed0/7pct'


def test_a_leaf_of_another_share_without_its_folder_is_that_of_simeps():
    with pytest.raises(UserError, match=r'not there; take simeps/unet_neu_10pct\.py with'):
        find_config('unet_neu_5pct.py')


def test_the_old_block_for_unlabelled_images_says_what_to_write(tmp_path):
    config = tmp_path / 'mine.py'
    semi = (ROOT / 'configs/_base_/datasets/semi_neu_seg.py').as_posix()
    config.write_text(f"_base_ = ['{semi}']\ntrain_dataloader = dict(dataset=_base_.unlabeled_dataset)\n")
    wanted = (
        r"no attribute 'unlabeled_dataset'\. .* leave train_dataloader out; .*type='LabeledUnlabeledDataset', labeled="
    )
    with pytest.raises(UserError, match=wanted):
        read_config(config)


def test_a_concatenated_loader_still_trains(data_root):
    """Both pipelines written out, in place of a ``LabeledUnlabeledDataset``: the same images in the same order."""
    cfg = load('simeps/unet_neu_10pct.py', data_root)
    derived = DATASETS.build(cfg.train_dataloader.dataset)
    datasets = list(parts_of(cfg.train_dataloader.dataset))
    written = DATASETS.build(dict(type='ConcatDataset', datasets=datasets))
    samplers = [
        DATA_SAMPLERS.build(dict(cfg.train_dataloader.sampler, seed=0, dataset=one)) for one in (derived, written)
    ]
    first, second = ([next(stream) for _ in range(64)] for stream in map(iter, samplers))
    assert first == second
    for index in range(len(derived)):
        assert derived.get_data_info(index) == written.get_data_info(index)


@pytest.mark.parametrize('leaf', ['simeps/unet_neu_10pct.py', 'supervised/unet_neu_10pct.py'])
def test_another_share_of_the_labels_is_one_option(leaf, data_root):
    key, value = (
        ('split', 'splits/seed0/20pct') if leaf.startswith('simeps') else ('ann_file', 'splits/seed0/20pct_labeled.txt')
    )
    cfg = load(leaf, data_root)
    merge_options(cfg, [f'train_dataloader.dataset.{key}={value}'])
    dataset = cfg.train_dataloader.dataset
    files = [Path(part['ann_file']).name for part in parts_of(dataset) or (dataset,)]
    assert files == ['20pct_labeled.txt', '20pct_unlabeled.txt'][: len(files)]
