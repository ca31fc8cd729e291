"""Configs that would fail late or be passed over in silence. A new kind is one line of the table."""

import ast
import re
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from simeps_mmseg.apis.check_dataset import check_dataset, has_one_output, weights_advice
from simeps_mmseg.apis.compare_predictions import compare_predictions
from simeps_mmseg.apis.export import export
from simeps_mmseg.apis.make_semi import make_semi
from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.apis.test import test as evaluate
from simeps_mmseg.apis.train import train
from simeps_mmseg.apis.visualize_similarity import visualize_similarity
from simeps_mmseg.datasets.checks.before_training import check_before_training
from simeps_mmseg.datasets.checks.inspection import FileReport
from simeps_mmseg.datasets.sources import find_sources
from simeps_mmseg.engine.checks import packages
from simeps_mmseg.engine.checks.config import check_config
from simeps_mmseg.engine.checks.keys import misspelt_keys
from simeps_mmseg.engine.checks.packages import package_problems
from simeps_mmseg.models.utils.pretrained import check_pretrained
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_kinds import kind_problems
from simeps_mmseg.utils.configs import PARTS_OF_A_RUN, load_config
from tests.conftest import ROOT
from tests.faults.small_set import config, make
from tests.helpers import experiment, save

CASES = [
    ({'train_dataloder': {}}, 'train_dataloder is read by nothing; did you mean train_dataloader?'),
    ({'optim_wraper': {}}, 'did you mean optim_wrapper?'),
    ({'custom_hook': []}, 'did you mean custom_hooks?'),
    ({'train_cgf': dict(max_iters=9)}, 'train_cgf is read by nothing; did you mean train_cfg?'),
    ({'val_cgf': {}}, 'did you mean val_cfg?'),
    ({'load_form': 'a.pth'}, 'did you mean load_from?'),
    ({'resum': True}, 'did you mean resume?'),
    ({'work_dri': 'a'}, 'did you mean work_dir?'),
    ({'custom_import': {}}, 'did you mean custom_imports?'),
    ({'val_dataoladre': {}}, 'did you mean val_dataloader?'),
    ({'lr_config': dict(policy='poly')}, 'lr_config is of MMSegmentation 0.x and read by nothing; it is param_scheduler'),
    ({'data': dict(samples_per_gpu=2)}, 'data is of MMSegmentation 0.x and read by nothing; it is train_dataloader, val_'),
    ({'evaluation': dict(metric='mIoU')}, 'it is val_evaluator, train_cfg.val_interval and default_hooks.'),
    ({'checkpoint_config': dict(interval=5)}, 'it is default_hooks.checkpoint today'),
    ({'log_config': dict(interval=5)}, 'it is default_hooks.logger and visualizer today'),
    ({'workflow': [('train', 1)]}, 'it is train_cfg and val_cfg today'),
    ({'optimizer_config': dict(grad_clip=None)}, 'it is optim_wrapper.clip_grad today'),
    ({'default_hooks.chekpoint': dict(interval=5)}, 'default_hooks.chekpoint: did you mean checkpoint?'),
    ({'default_hooks.checkpoint.intervall': 5}, 'default_hooks.checkpoint.intervall is no option of CheckpointHook; did you'),
    ({'default_hooks.checkpoint.save_best': 'mIoUU'}, "save_best='mIoUU' is no score of val_evaluator; did you mean mIoU?"),
    ({'default_hooks.checkpoint.save_best': ['mIoU', 'x']}, "save_best='x' is no score of val_evaluator; choose from aAcc"),
    ({'default_hooks.checkpoint.save_best': 'branch_9.mIoU'}, 'of val_evaluator; the model has branch_0, branch_1, branch_2'),
    ({'default_hooks.checkpoint.save_best': 'branch_0.mIoUU'}, 'of a branch there are mIoU_fg, '),
    ({'default_hooks.checkpoint.save_best': 'IoU.pitt'}, 'has IoU.background, IoU.scratch, IoU.patch, IoU.pit'),
    ({'default_hooks.checkpoint.save_best': 'missed.background'}, 'val_dataloader.dataset has missed.scratch, missed.patch, '),
    (
        {'default_hooks.checkpoint.save_best': 'branch_0.mIoU', 'model.test_cfg': dict(branch_predictions=False)},
        'branches are scored with model.test_cfg.branch_predictions=True',
    ),
    (
        {'default_hooks.checkpoint.save_best': 'IoU.pit', 'val_evaluator': dict(type='IoUMetric')},
        "save_best='IoU.pit' is no score of val_evaluator; choose from aAcc, mAcc, mIoU",
    ),
    ({'optim_wrapper.clip_grad': dict(max_nrm=1, max_norm=1)}, 'clip_grad.max_nrm is no option of clip_grad_norm_; it ha'),
    ({'optim_wrapper.clip_grad': dict(max_norm=-1)}, 'clip_grad.max_norm must be a finite number above 0, got -1'),
    ({'optim_wrapper.clip_grad': dict(type='value')}, 'clip_grad.clip_value must be a finite number above 0, got None'),
    ({'optim_wrapper.clip_grad': dict(type='nrom')}, "optim_wrapper.clip_grad.type must be one of norm, value, got 'nrom'"),
    ({'randomness': dict(seed='x')}, "randomness.seed must be a whole number from 0 to 4294967295, or None, got 'x'"),
    ({'randomness': dict(sed=1)}, 'randomness.sed is no option; it has seed, deterministic, diff_rank_seed'),
    (
        {'val_dataloader.dataset.ignore_index': 77},
        'val_dataloader.dataset.ignore_index=77, but val_evaluator.ignore_index=255: pixels with 77 would be scored',
    ),
    ({'val_evaluator.iou_metrics': ['mIoUU']}, "val_evaluator.iou_metrics: 'mIoUU' is not known; choose from mIoU, mDice"),
    ({'model.cross_pseudo.loss_weight': -1.0}, 'cross_pseudo.loss_weight must be a finite number of 0 or more, got -1.0'),
    ({'model.cross_pseudo.loss_weight': float('nan')}, 'got nan'),
    ({'model.cross_pseudo.loss_weight': '0.1'}, "got '0.1'"),
    ({'optim_wrapper.optimizer.momentum': 2}, 'optim_wrapper.optimizer.momentum must be a number from 0 to 1, got 2'),
    ({'train_cfg.val_interval': 0}, 'train_cfg.val_interval must be a whole number of 1 or more, got 0'),
    ({'train_dataloader.num_workers': -1}, 'train_dataloader.num_workers must be a whole number of 0 or more, got -1'),
    ({'train_dataloader.dataset.cache_bytes': '4GB'}, "dataset.cache_bytes must be a number of bytes, such as 4294967296, or"),
    ({'train_dataloader.dataset.cache_bytes': -1}, 'or 0 for no cache, got -1'),
    ({'model.branch_by_branch': 'no'}, "model.branch_by_branch must be True or False, got 'no'"),
    ({'model.batch_renorm': 'no'}, "model.batch_renorm must be True or False, got 'no'"),
    ({'compile': 'yes'}, "compile must be True, False or a dict of options of torch.compile, got 'yes'"),
    ({'train_dataloader.persistent_workers': True}, 'train_dataloader.persistent_workers=True needs num_workers of 1 or'),
    ({'val_dataloader.dataset': [{}, {}]}, "val_dataloader.dataset must be one dict; several sets are dict(type='ConcatD"),
    ({'runner_type': 'FlexibleRunner', 'strategy': dict(type='FSDPStrategy')}, 'strategy.type=FSDPStrategy cannot be used: e'),
    ({'strategy': dict(type='DeepSpeedStrategy')}, 'hold whole weights: teachers, the guard of labels alone and checkpoints'),
    ({'strategy': dict(type='DDPStrategy')}, 'it starts several processes as --launcher does; use data parallelism (--launch'),
    ({'model_wrapper_cfg': dict(type='MMFullyShardedDataParallel')}, 'model_wrapper_cfg.type=MMFullyShardedDataParallel cann'),
    ({'optim_wrapper.optimizer': dict(type='ZeroRedundancyOptimizer', optimizer_type='Adam')}, 'waits for the others for ev'),
    ({'val_dataloader': [{}]}, 'val_dataloader must be dict(batch_size=..., dataset=dict(...)), got a list'),
    ({'train_dataloader': 'train.txt'}, "train_dataloader must be dict(batch_size=..., dataset=dict(...)), got 'train.txt'"),
    ({'train_dataloader': dict(_delete_=True, batch_size=2)}, 'train_dataloader.dataset must be dict(type=...), got None'),
    ({'model': [dict(type='EncoderDecoder')]}, 'model must be dict(type=...), got a list'),
    ({'model': None}, 'model must be dict(type=...), got None'),
    ({'optim_wrapper': [dict(type='OptimWrapper')]}, 'optim_wrapper must be dict(type=..., optimizer=dict(type=...)), got a'),
    ({'train_cfg': 9}, "train_cfg must be dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...), got 9"),
    ({'param_scheduler': 'poly'}, "param_scheduler must be dict(type=...) or a list of such, got 'poly'"),
    ({'param_scheduler': ['poly']}, "param_scheduler[0] must be dict(type=...), got 'poly'"),
    ({'custom_hooks': 'EMAHook'}, "custom_hooks must be a list of dict(type=...), got 'EMAHook'"),
    ({'default_hooks': [dict(type='CheckpointHook')]}, 'default_hooks must be dict(checkpoint=dict(type=...), ...), got a l'),
    ({'default_hooks.ema': 1}, 'default_hooks.ema must be dict(type=...), or None for no such hook, got 1'),
    ({'default_hooks.visualization': dict(draw=True, interval=0)}, 'a whole number of 1 or more where draw=True, got 0'),
    ({'model': dict(_delete_=True)}, 'model must be dict(type=...), got one with nothing'),
    ({'model': dict(_delete_=True, branch={})}, 'model must be dict(type=...), got one with branch'),
    ({'default_hooks.checkpoint': dict(_delete_=True, interval=1)}, "must be dict(type=...), or None for no such hook, got {"),
    ({'default_hooks.checkpoint': dict(type='mmengine.CheckpointHook', intervall=5)}, 'checkpoint.intervall is no option'),
    ({'default_hooks.checkpoint': dict(type=CheckpointHook, intervall=5)}, 'default_hooks.checkpoint.intervall is no option'),
    ({'custom_hooks': [dict(priority=1)]}, 'custom_hooks[0] must be dict(type=...), got a dict without type'),
    ({'vis_backends': [dict(a=1)]}, 'vis_backends[0] must be dict(type=...), got a dict without type'),
    ({'visualizer.vis_backends': ['Local']}, "visualizer.vis_backends[0] must be dict(type=...), got 'Local'"),
    ({'model.branch': 'unet'}, "model.branch must be dict(type=...), got 'unet'"),
    ({'model.branch.data_preprocessor': [1]}, 'model.branch.data_preprocessor must be dict(type=...), got a list'),
    ({'model.branch.decode_head.norm_cfg.type': 2}, 'decode_head.norm_cfg.type must be the name of a class, got 2'),
    ({'model.branch.data_preprocessor.std': [60.0, 0.0, 60.0]}, 'preprocessor.std must be finite numbers above 0, got [60.0'),
    ({'model.branch.data_preprocessor.std': [-1.0] * 3}, 'got [-1.0, -1.0, -1.0]'),
    ({'param_scheduler': [dict(type='PolyLR', power='0.9')]}, "scheduler.0.power must be a finite number of 0 or more, got"),
    ({'val_dataloader.batch_size': 0}, 'val_dataloader.batch_size must be a whole number of 1 or more, got 0'),
    ({'val_dataloader.dataset.ann_file': 3}, 'val_dataloader.dataset.ann_file must be a path, got 3'),
    ({'val_dataloader.dataset.data_prefix': 'images'}, "_prefix must be dict(img_path=..., seg_map_path=...), got 'images'"),
    ({'val_dataloader.dataset.pipeline': ['LoadImageFromFile']}, "pipeline[0] must be dict(type=...), got 'LoadImageF"),
    ({'default_hooks.checkpoint.interval': '9'}, "checkpoint.interval must be a whole number of 1 or more, got '9'"),
    ({'model.branch.decode_head.type': None}, 'model.branch.decode_head.type must be the name of a class, got None'),
    ({'log_level': 'LOUD'}, "log_level must be a level of Python's logging, such as 'INFO', got 'LOUD'"),
    ({'activation_checkpointing': True}, 'must be the name of a module of the model or a list of such, got True'),
    ({'efficient_conv_bn_eval': ['backbone', 3]}, "a list of such, got ['backbone', 3]"),
    ({'runner_type': 'Runer'}, "runner_type: there is no runner 'Runer'"),
    ({'load_from': ['a.pth', 'b.pth']}, 'load_from must be the path of a checkpoint, got a list'),
    ({'env_cfg': None}, 'env_cfg must be dict(cudnn_benchmark=..., ...), got None'),
    ({'val_cfg': None}, 'val_cfg is not there: a config has all or none of val_dataloader, val_cfg, val_evaluator'),
    ({'optim_wrapper': None}, 'optim_wrapper is not there: a training needs train_dataloader, train_cfg, optim_wrapper'),
    ({'val_evaluator': dict(_delete_=True, metric='mIoU')}, "val_evaluator has no type; it is dict(type='DefectIoUMetric')"),
    ({'default_hooks.checkpoint.out_dir': 'a'}, "checkpoint.out_dir='a': checkpoints lie in the work folder, where --resume"),
]  # fmt: skip


@pytest.mark.parametrize(
    ('changes', 'says'), CASES, ids=lambda value: ','.join(value) if isinstance(value, dict) else ''
)
def test_a_fault_is_named(changes, says, tmp_path):
    cfg = experiment(tmp_path, tmp_path)
    cfg.merge_from_dict(changes)
    with pytest.raises(UserError) as raised:
        check_config(cfg)
    assert says in str(raised.value)
    assert str(raised.value).count('\n') == 1  # and nothing else


NECKS = [dict(type='FPN'), dict(type='MultiLevelNeck')]
OPTIONS = dict(
    similarity='cosine', view='top', branches=3, teacher='a.pth', neck=True, sampler='even', optimizer='Adam'
)


@pytest.mark.parametrize(
    'model',
    [
        dict(type='EncoderDecoder', backbone=[dict(type='A'), dict(type='B')], neck=NECKS, decode_head=OPTIONS),
        dict(type='EncoderDecoder', backbone=dict(type='Own', **OPTIONS), neck=dict(type='Own', **OPTIONS)),
        dict(type='TriBranchSemiSegmentor', branch=dict(type='EncoderDecoder', backbone=OPTIONS, neck=NECKS)),
        dict(type='Own', backbone='resnet50', decode_head='fcn', **OPTIONS),
    ],
)
def test_options_of_parts_of_ones_own_are_their_own(model):
    step = dict(type='Own', datasets='all', pipeline='long', data_prefix='a', **OPTIONS)
    loader = dict(batch_size=1, dataset=dict(type='Own', pipeline=[step], metainfo=dict(type=1), **OPTIONS))
    assert list(kind_problems(dict(model=model, train_dataloader=loader))) == []


@pytest.mark.parametrize('interval', [0, -1, -5])
def test_an_interval_may_stand_for_never(interval, tmp_path):
    """As in the ``every_n_*`` of mmengine's hooks."""
    cfg = experiment(tmp_path, tmp_path)
    for hook in ('checkpoint', 'visualization'):
        cfg.default_hooks[hook].interval = interval
    check_config(cfg)


def test_a_training_needs_a_model(tmp_path):
    cfg = experiment(tmp_path, tmp_path)
    cfg.default_hooks.checkpoint.save_best = 'branch_0.mIoU_fg'
    cfg.modle = cfg.pop('model')
    slip = 'modle is read by nothing; did you mean model?'
    with pytest.raises(
        UserError, match=re.escape(f'  - {slip}\n  - model is not there: a training needs model=dict(type=...)') + '$'
    ):
        check_config(cfg)


def test_nothing_is_said_of_shipped_configs(tmp_path):
    check_config(experiment(tmp_path, tmp_path))
    for file in (*(ROOT / 'configs').glob('simeps/*.py'), *(ROOT / 'configs').glob('*/unet_neu_10pct.py')):
        check_config(load_config(file))


@pytest.mark.parametrize(
    ('written', 'says'),
    [
        (
            'optimizer = dict(lr=0.1)',
            'optimizer is of MMSegmentation 0.x and read by nothing; it is optim_wrapper.optimizer',
        ),
        (
            'runner = dict(max_iters=9)',
            'runner is of MMSegmentation 0.x and read by nothing; it is train_cfg.max_iters',
        ),
    ],
)
def test_what_is_set_in_the_old_way_above_a_new_base(written, says, tmp_path):
    """The same names are variables in MMSegmentation's own schedules: there something is made of them."""
    experiment(tmp_path, tmp_path).dump(tmp_path / 'base.py')
    (tmp_path / 'config.py').write_text(f"_base_ = ['base.py']\n{written}\n")
    with pytest.raises(UserError, match=re.escape(says)):
        check_config(load_config(tmp_path / 'config.py'))
    used = 'optim_wrapper = dict(optimizer=optimizer)' if 'optim' in written else 'train_cfg = dict(max_iters=9)'
    (tmp_path / 'config.py').write_text(f"_base_ = ['base.py']\n{written}\n{used}\n")
    check_config(load_config(tmp_path / 'config.py'))
    (tmp_path / 'above.py').write_text("_base_ = ['config.py']\n")
    check_config(load_config(tmp_path / 'above.py'))


def test_variables_of_the_configs_of_mmsegmentation_are_no_slips():
    folders = (Path(mmseg.__file__).parent / '.mim/configs', ROOT / 'configs', ROOT / 'benchmarks/public_sets/configs')
    files = [file for folder in folders for file in folder.glob('**/*.py')]
    nodes = [node for file in files for node in ast.parse(file.read_text()).body if isinstance(node, ast.Assign)]
    names = {target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)}
    assert len(names) > 60
    assert list(misspelt_keys(names)) == []


def test_every_exchange_of_neighbours_and_every_letter_left_out_is_found():
    slips = set()
    for word in PARTS_OF_A_RUN:
        slips |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        slips |= {word[:i] + word[i + 1 :] for i in range(len(word))}
    assert {slip for slip in slips - PARTS_OF_A_RUN if not list(misspelt_keys([slip]))} == {'mode'}


@pytest.mark.parametrize(
    ('package', 'name', 'says'),
    [
        (
            'albumentations',
            'released_unet_neu_10pct',
            'train_dataloader.dataset.labeled.pipeline.3 (Albu) needs albumentations: pip install --no-deps albumentations==',
        ),
        ('timm', 'efficientnet_lite0_neu_10pct', 'model.branch.backbone (TIMMBackbone) needs timm: pip install timm'),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_installation(package, name, says, monkeypatch):
    cfg = load_config(ROOT / f'configs/simeps/{name}.py')
    monkeypatch.setattr(packages, 'find_spec', lambda asked: None if asked == package else object())
    [problem] = package_problems(cfg)
    assert problem.startswith(says)
    monkeypatch.setattr(packages, 'find_spec', lambda asked: object())
    assert not list(package_problems(cfg))


def test_a_missing_package_stops_a_training_before_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, 'find_spec', lambda asked: None)
    with pytest.raises(UserError, match=r'(?s)packages are missing:.*needs timm'):
        train('simeps/efficientnet_lite0_neu_10pct.py', work_dir=str(tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


def test_a_shipped_config_says_what_writes_its_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(ROOT / 'configs/simeps/efficientnet_lite0_neu_10pct.py')
    with pytest.raises(
        UserError, match=r'efficientnet_lite0.pth; this writes it: pip install timm .*lite0.py \(in the clone'
    ):
        check_pretrained(cfg)


def test_scores_of_branches_and_classes_may_choose(tmp_path):
    cfg = experiment(tmp_path, tmp_path)
    cfg.default_hooks.checkpoint.save_best = ['mIoU_fg', 'branch_0.mIoU', 'IoU.pit']
    check_config(cfg)
    cfg.default_hooks.checkpoint.save_best = 'my_score'
    cfg.val_evaluator = [dict(type='MyMetric')]
    check_config(cfg)


@pytest.mark.parametrize('several', [False, True])
def test_an_evaluator_may_have_metrics_and_no_type(several, tmp_path):
    """As mmengine's ``build_evaluator`` takes it: then its type is ``Evaluator``."""
    cfg = experiment(tmp_path, tmp_path)

    def with_metric(**options):
        metric = dict(type='IoUMetric', **options)
        cfg.val_evaluator = dict(metrics=[metric] if several else metric)
        return cfg

    cfg.default_hooks.checkpoint.save_best = 'mIoU'
    check_config(with_metric())
    key = 'val_evaluator.metrics[0]' if several else 'val_evaluator.metrics'
    with pytest.raises(UserError, match=re.escape(f"{key}.iou_metrics: 'mIoUU' is not known")):
        check_config(with_metric(iou_metrics=['mIoUU']))
    cfg.default_hooks.checkpoint.save_best = 'mIoU_fg'
    with pytest.raises(UserError, match=r"save_best='mIoU_fg' is no score of val_evaluator; did you mean mIoU\?"):
        check_config(with_metric())


def test_training_does_not_begin(tmp_path):
    cfg = experiment(tmp_path, tmp_path / 'run', optim_wraper={})
    cfg.dump(tmp_path / 'config.py')
    with pytest.raises(UserError, match='optim_wraper is read by nothing'):
        train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


TOOLS = dict(
    check_dataset=check_dataset,
    compare_predictions=lambda config: compare_predictions([config], ['weights.pth']),
    export=lambda config: export('weights.pth', config=config),
    make_semi=lambda config: make_semi(config, 'images', 'semi.py'),
    predict=lambda config: predict(config, 'weights.pth', 'images', 'out'),
    rank_unlabeled=lambda config: rank_unlabeled(config, 'weights.pth', 'images'),
    test=lambda config: evaluate(config, 'weights.pth'),
    train=train,
    visualize_similarity=lambda config: visualize_similarity(config, 'weights.pth', 'out'),
)


@pytest.mark.parametrize('tool', TOOLS)
def test_of_a_list_in_the_place_of_a_loader_every_tool_says_so(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment(tmp_path, tmp_path / 'run', semi=False)
    cfg.val_dataloader = [cfg.val_dataloader]
    cfg.dump(tmp_path / 'config.py')
    save(tmp_path / 'images/a.png', np.zeros((4, 4), np.uint8))
    torch.save(dict(state_dict={'weight': torch.zeros(1)}, meta={}), 'weights.pth')
    with pytest.raises(
        UserError, match=r'val_dataloader must be dict\(batch_size=\.\.\., dataset=dict\(\.\.\.\)\), got a l'
    ):
        TOOLS[tool]('config.py')


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        (dict(train_dataloader='all'), "train_dataloader must be dict(batch_size=..., dataset=dict(...)), got 'all'"),
        (dict(model=[dict(type='EncoderDecoder')]), 'model must be dict(type=...), got a list'),
        (dict(default_hooks=[1]), 'default_hooks must be dict(checkpoint=dict(type=...), ...), got a list'),
        (
            {'train_dataloader.dataset': [{}, {}]},
            'train_dataloader.dataset must be one dict; several sets are dict(type=',
        ),
    ],
)
def test_so_does_a_conversion_of_any_part(changes, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment(tmp_path, tmp_path / 'run', semi=False)
    cfg.merge_from_dict(changes)
    cfg.dump(tmp_path / 'config.py')
    with pytest.raises(UserError, match=re.escape(says)):
        make_semi('config.py', 'images', 'semi.py')
    assert not (tmp_path / 'semi.py').exists()


def test_several_sizes_in_a_batch(tmp_path):
    cfg = config(make(tmp_path))
    save(tmp_path / 'val/images/0.png', np.full((16, 24, 3), 7, np.uint8))
    save(tmp_path / 'val/masks/0.png', np.ones((16, 24), np.uint8))
    check_before_training(cfg)
    cfg.val_dataloader.batch_size = 2
    with pytest.raises(
        UserError, match=r'val_dataloader\.batch_size \(validation\): expected one size where batch_size=2'
    ):
        check_before_training(cfg)
    cfg.val_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(16, 16)))
    check_before_training(cfg)


def test_weights_for_a_head_with_one_output(tmp_path):
    cfg = config(make(tmp_path))
    labelled = cfg.train_dataloader.dataset.labeled
    labelled.metainfo = dict(classes=('background', 'crack'), palette=[[0] * 3, [1] * 3])
    sources = find_sources(cfg)[0]
    reports = [FileReport('labelled', 'a.png', classes={0: 9000, 1: 10})]
    assert weights_advice(reports, sources).endswith('class_weight=[1.0, 30.0]\n')
    assert weights_advice(reports, sources, one_output=True).endswith('class_weight=[30.0]\n')
    assert not has_one_output(cfg)
    cfg.model.branch.decode_head.update(num_classes=2, out_channels=1)
    assert has_one_output(Config(dict(model=cfg.model)))


STDC_EDGES = dict(type='mmseg.STDCHead', num_classes=2)
QUERIES = dict(type='Mask2FormerHead', num_classes=2, loss_cls=dict(class_weight=[1.0, 1.0, 0.1]))
KERNELS = dict(type='IterativeDecodeHead', kernel_update_head=[dict(type='KernelUpdateHead', num_classes=9)])


@pytest.mark.parametrize(
    ('model', 'found'),
    [
        (dict(decode_head=dict(num_classes=3)), []),
        (dict(decode_head=dict(type='Own'), backbone=dict(num_classes=1000)), []),
        (dict(decode_head=dict(num_classes=3), auxiliary_head=[STDC_EDGES]), []),
        (dict(decode_head=dict(num_classes=2)), [('model.decode_head.num_classes', '2', True)]),
        (dict(decode_head=dict(num_classes=5)), [('model.decode_head.num_classes', '5', False)]),
        (dict(decode_head=QUERIES), [('model.decode_head.num_classes', '2', True)]),
        (dict(decode_head=KERNELS), [('model.decode_head.kernel_update_head.0.num_classes', '9', False)]),
        (
            dict(decode_head=[dict(num_classes=3), dict(num_classes=2)], auxiliary_head=dict(num_classes=1)),
            [('model.decode_head.1.num_classes', '2', True), ('model.auxiliary_head.num_classes', '1', True)],
        ),
        (dict(decode_head=dict(num_classes=2, out_channels=1)), [('model.decode_head.num_classes', '2', True)]),
        (
            dict(branches=[dict(decode_head=dict(num_classes=3)), dict(decode_head=dict(num_classes=5))]),
            [('model.branches.1.decode_head.num_classes', '5', True)],
        ),
    ],
)
def test_classes_of_heads_are_those_of_the_data_set(model, found, tmp_path):
    problems = find_sources(config(make(tmp_path), model=model))[1]
    assert [(problem.file, problem.found, problem.is_error) for problem in problems] == found
    for problem in problems:
        assert (
            'expected 3, as train_dataloader.dataset.labeled has 3 classes (metainfo.classes: background, crack, pit)'
        ) in str(problem)


@pytest.mark.parametrize('number', [1, 2])
def test_one_output_tells_two_classes_apart(number, tmp_path):
    cfg = config(make(tmp_path), model=dict(decode_head=dict(num_classes=number, out_channels=1)))
    cfg.train_dataloader.dataset.labeled.metainfo = dict(classes=('background', 'crack'))
    assert find_sources(cfg)[1] == []


def test_more_outputs_than_classes_cannot_be_scored_by_defects(tmp_path):
    changes = dict(model=dict(decode_head=dict(num_classes=5)), val_evaluator=dict(type='DefectIoUMetric'))
    (problem,) = find_sources(config(make(tmp_path), **changes))[1]
    assert problem.is_error


def test_a_supervised_training_with_too_few_classes_does_not_begin(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run', semi=False)
    cfg.model.decode_head.num_classes = 3
    cfg.dump(tmp_path / 'config.py')
    with pytest.raises(
        UserError, match=r'model\.decode_head\.num_classes \(labelled\): expected 4, as train_dataloader'
    ):
        train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()
