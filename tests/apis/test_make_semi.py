"""Stock configs of MMSegmentation, converted unchanged."""

import json
import re
import shutil
from contextlib import nullcontext
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS, TRANSFORMS
from PIL import Image

from simeps_mmseg.apis.export import export
from simeps_mmseg.apis.make_semi import make_semi
from simeps_mmseg.conversion import joined_networks
from simeps_mmseg.datasets.checks.quick import check_quickly
from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.deploy import network_states
from simeps_mmseg.engine.resume import choose_checkpoint
from simeps_mmseg.models.utils import replace_sync_bn
from simeps_mmseg.models.utils.pretrained import remove_pretrained
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_tree import leaf_configs, walk_dicts
from simeps_mmseg.utils.configs import load_config
from tests.conftest import ROOT
from tests.helpers import experiment, save, tiny_branch
from tests.tools.test_tools import run

STOCK = Path(mmseg.__file__).parent / '.mim/configs'
CONFIGS = [
    'bisenetv1/bisenetv1_r18-d32_4xb4-160k_coco-stuff164k-512x512.py',
    'convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py',
    'deeplabv3/deeplabv3_r50-d8_4xb4-40k_pascal-context-59-480x480.py',
    'deeplabv3plus/deeplabv3plus_r18-d8_4xb4-80k_vaihingen-512x512.py',
    'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
    'hrnet/fcn_hr18s_4xb4-80k_potsdam-512x512.py',
    'hrnet/fcn_hr18s_4xb4-80k_loveda-512x512.py',
    'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py',
    'mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512.py',
    'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    'poolformer/fpn_poolformer_s12_8xb4-40k_ade20k-512x512.py',
    'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
    'segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py',
    'unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',
    'upernet/upernet_r18_4xb4-20k_voc12aug-512x512.py',
]
METHODS = sorted(path.stem for path in (ROOT / 'configs/_base_/semi').glob('*.py'))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with unlabelled images of several kinds."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    save(Path('images/a.jpg'), rng.integers(0, 255, (50, 60, 3), dtype=np.uint8))
    save(Path('images/deep/b.PNG'), rng.integers(0, 65535, (40, 40), dtype=np.uint16))
    save(Path('images/deep/c.tif'), rng.integers(0, 255, (64, 48), dtype=np.uint8))
    return tmp_path


def make_files(config: dict, count: int = 3, size: int = 64, seed: int = 0) -> None:
    """Images and masks in the layout that a data set of MMSeg expects, with all raw values that it knows."""
    rng = np.random.default_rng(seed)
    suffixes = dict(
        CityscapesDataset=('_leftImg8bit.png', '_gtFine_labelTrainIds.png'),
        DRIVEDataset=('.png', '_manual1.png'),
    )
    for leaf in leaf_configs(config):
        kind = DATASETS.get(leaf['type'])
        image_suffix, mask_suffix = suffixes.get(leaf['type'], ('.jpg', '.png'))
        root = Path(leaf['data_root'])
        names = [f'{Path(leaf.get("ann_file", "all")).stem}{index}' for index in range(count)]
        for name in names:
            image = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
            save(root / leaf['data_prefix']['img_path'] / f'{name}{image_suffix}', image)
            values = 1 + rng.integers(0, min(2, len(kind.METAINFO['classes']) - 1), (size, size), dtype=np.uint8)
            save(root / leaf['data_prefix']['seg_map_path'] / f'{name}{mask_suffix}', values)
        if leaf.get('ann_file'):
            path = root / leaf['ann_file']
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('\n'.join(names))


@pytest.mark.parametrize('name', CONFIGS)
def test_stock_configs(name, here, capsys):
    base = Config.fromfile(STOCK / name)
    out = make_semi(f'mmseg::{name}' if CONFIGS.index(name) % 2 else str(STOCK / name), 'images', 'out.py')
    assert 'simeps train out.py' in capsys.readouterr().out
    cfg = Config.fromfile(out)
    assert len(out.read_text().partition(']\n')[2].splitlines()) <= 11  # below title and bases, whose paths may be long

    # The model is wrapped, nothing in it is changed.
    assert cfg.model.type == 'TriBranchSemiSegmentor'
    assert {k: v for k, v in cfg.model.branch.items() if k != '_scope_'} == base.model
    assert 'simeps_mmseg' in cfg.custom_imports.imports
    assert [hook.type for hook in cfg.custom_hooks] == ['SemiSupervisedHook', 'LabelsOnlyGuardHook']
    # Optimiser and schedule stay; the best weights are kept.
    assert cfg.default_hooks.checkpoint.pop('save_best') == 'mIoU_fg'
    for key in ('param_scheduler', 'train_cfg', 'val_dataloader', 'default_hooks'):
        assert strip(cfg[key]) == strip(base[key]), key
    assert strip(cfg.val_evaluator) == {**strip(base.val_evaluator), 'type': 'DefectIoUMetric'}
    assert strip(cfg.optim_wrapper) == {
        **strip(base.optim_wrapper),
        **({'constructor': cfg.optim_wrapper.constructor} if 'constructor' in base.optim_wrapper else {}),
    }
    # So does what is done to the labelled images.
    loader, old = cfg.train_dataloader, base.train_dataloader
    n = max(2, old.batch_size)
    assert loader.batch_size == 2 * n
    assert loader.sampler == dict(type='LabeledUnlabeledSampler', num_labeled=n, num_unlabeled=n)
    labeled, unlabeled = parts_of(loader.dataset)
    kept = old.dataset.dataset if old.dataset.type == 'RepeatDataset' else old.dataset
    assert strip(labeled) == strip(kept)
    # The unlabelled ones pass the same steps without a mask, on real files.
    old_steps = [s['type'] for s in leaf_configs(kept)[0]['pipeline']]
    steps = [step['type'] for step in unlabeled['pipeline']]
    assert steps[0] == 'LoadImageAsUint8'
    assert steps[1:] == [step for step in old_steps[1:] if step not in ('LoadAnnotations', 'GenerateEdge')]
    crops = [step for step in unlabeled['pipeline'] if step['type'] == 'RandomCrop']
    assert all(step['cat_max_ratio'] == 1.0 for step in crops)
    assert (
        crops[0]['crop_size'] == next(s for s in leaf_configs(kept)[0]['pipeline'] if s.type == 'RandomCrop').crop_size
    )
    dataset = DATASETS.build(unlabeled)
    assert len(dataset) == 3
    assert all('gt_sem_seg' not in dataset[index]['data_samples'] for index in range(3))


def strip(node):
    """Without the scope that inheriting from ``mmseg::`` leaves behind."""
    if isinstance(node, dict):
        return {key: strip(value) for key, value in node.items() if key != '_scope_'}
    return [strip(one) for one in node] if isinstance(node, (list, tuple)) else node


@pytest.mark.parametrize(
    'name',
    [
        'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
        'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
        'unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',
    ],
)
@pytest.mark.usefixtures('one_thread')
def test_stock_configs_train(name, here, capsys):
    """The files are there, so the conversion checks them; then one step on images of 32 x 32."""
    base = Config.fromfile(STOCK / name)
    make_files(base.train_dataloader.dataset)
    make_files(base.val_dataloader.dataset)
    make_semi(f'mmseg::{name}', 'images', 'out.py')
    printed = capsys.readouterr().out
    count = 3 * len(leaf_configs(base.train_dataloader.dataset))
    assert f'images: {count} labelled, 3 unlabelled, 3 validation' in printed
    cfg = load_config('out.py')
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    shrink(cfg)
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    losses = model.train_step(next(iter(Runner.build_dataloader(cfg.train_dataloader))), optimizer)
    assert all(value.isfinite().all() for value in losses.values())
    assert {'labeled.loss_similarity_logits', 'unlabeled.loss_cross_pseudo_2'} <= losses.keys()
    assert any((old != new).any() for old, new in zip(before, model.parameters()))


def shrink(cfg: Config) -> None:
    """One step on two CPU cores."""
    for _, node in walk_dicts(cfg._cfg_dict):
        if node.get('type') == 'RandomResize':
            node['scale'] = (32, 32)
        if 'crop_size' in node and node.get('type') == 'RandomCrop':
            node['crop_size'] = (32, 32)
        if node.get('type') == 'Pad':
            node['size'] = (32, 32)
        if node.get('type') == 'SegDataPreProcessor':
            node['size'] = (32, 32)
    sampler = dict(type='LabeledUnlabeledSampler', num_labeled=2, num_unlabeled=2)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=4, sampler=sampler)


@pytest.mark.parametrize('method', METHODS)
def test_methods(method, synthetic_root, here):
    config = str(supervised(synthetic_root, here))
    cfg = Config.fromfile(make_semi(config, 'images', 'out.py', method=method))
    shipped = load_config(f'_base_/semi/{method}.py')
    assert {**shipped.semi_model, 'branch': cfg.model.branch} == cfg.model
    assert cfg.custom_hooks == shipped.semi_hooks


def train_one(cfg: Config) -> None:
    """One iteration by mmengine's runner."""
    plain = Config({**cfg._cfg_dict, 'work_dir': 'run'}, format_python_code=False)  # formatting takes seconds
    plain.train_cfg.max_iters = 1
    runner = Runner.from_cfg(plain)
    runner.train()
    assert runner.iter == 1


def supervised(synthetic_root, tmp_path, **changes) -> Path:
    """A user's own config: a small network on the generated set."""
    cfg = experiment(synthetic_root, tmp_path / 'run', semi=False, **changes)
    path = tmp_path / 'mine.json'
    cfg.dump(path)
    return path


def networks_on_labels(config: Path, number: int) -> list[str]:
    """Checkpoints of a supervised config, of networks that were drawn from different seeds."""
    paths = [f'start_{k}.pth' for k in range(number)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        state = MODELS.build(Config.fromfile(config).model).state_dict()
        meta = dict(iter=6000, seed=seed, experiment_name=f'mine_{seed}')
        torch.save(dict(meta=meta, state_dict=state), path)
    return paths


@TRANSFORMS.register_module()
class Fails(BaseTransform):
    """A step of a user's own that asks for what no sample has."""

    def transform(self, results):
        return results['no_key']


@pytest.mark.usefixtures('one_thread')
class TestOwnConfig:
    def test_trains_and_lists_images_of_the_folder_once(self, synthetic_root, here, capsys):
        """One folder holds all images: those labelled, validated and tested on are not unlabelled too."""
        config = supervised(synthetic_root, here)
        make_semi(str(config), str(synthetic_root / 'synthetic/images'), 'semi.py')
        assert 'images: 8 labelled, 26 unlabelled, 6 validation, 6 test' in capsys.readouterr().out
        excluded = 'exclude=[_base_.val_dataloader.dataset, _base_.test_dataloader.dataset]'
        assert excluded in Path('semi.py').read_text()
        cfg = Config.fromfile('semi.py')
        assert check_quickly(cfg) == []
        train_one(cfg)

    @pytest.mark.parametrize(
        ('changes', 'weights'),
        [
            (dict(), 'best_mIoU_fg_iter_*.pth'),
            (dict(val_dataloader=None, val_evaluator=None, val_cfg=None), 'iter_30.pth'),
        ],
    )
    def test_what_comes_next_tests_the_best_weights_where_they_are_kept(
        self, changes, weights, synthetic_root, here, capsys
    ):
        schedule = dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=30, val_interval=10))
        config = supervised(synthetic_root, here, **schedule, **changes)
        make_semi(str(config), 'images', 'semi.py')
        assert capsys.readouterr().out.endswith(
            f'\n  simeps train semi.py\n  simeps test semi.py work_dirs/semi/{weights}\n'
        )

    def test_images_behind_a_link_are_those_images(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        Path('pool').mkdir()
        Path('pool/linked').symlink_to(synthetic_root / 'synthetic/images')
        make_semi(str(config), 'pool', 'semi.py')
        assert 'images: 8 labelled, 26 unlabelled, 6 validation, 6 test' in capsys.readouterr().out

    def test_clipping_of_all_branches_together_is_said(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        make_semi(str(config), str(synthetic_root / 'synthetic/images'), 'semi.py')
        assert 'clip_grad' not in capsys.readouterr().out
        clipped = Config.fromfile(config)
        clipped.optim_wrapper.clip_grad = dict(max_norm=1.0)
        clipped.dump(config)
        make_semi(str(config), str(synthetic_root / 'synthetic/images'), 'clipped.py')
        assert 'note: optim_wrapper.clip_grad stays as it is' in capsys.readouterr().out

    def test_masks_of_the_config_are_no_unlabelled_images(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        make_semi(str(config), str(synthetic_root / 'synthetic'), 'semi.py')
        assert 'images: 8 labelled, 26 unlabelled, 6 validation, 6 test' in capsys.readouterr().out

    def test_data_that_is_not_there_leaves_the_rest_excluded(self, synthetic_root, here, capsys):
        """Without the test set, masks and labelled images of the tree are no unlabelled images all the same."""
        config = supervised(synthetic_root, here)
        cfg = Config.fromfile(config)
        cfg.test_dataloader.dataset.update(data_root='later')
        cfg.dump(config)
        make_semi(str(config), str(synthetic_root / 'synthetic'), 'semi.py')
        printed = capsys.readouterr().out
        assert 'exclude=[_base_.val_dataloader.dataset]' in Path('semi.py').read_text()
        # All masks but those of the test set are in the folder of masks, which is left out as a whole.
        assert 'images: 8 labelled, 32 unlabelled, 6 validation' in printed
        assert 'note: later/images, later/annotations, later/splits/test.txt: not there, so neither checked' in printed
        assert 'error' not in printed

    def test_a_ramp_longer_than_the_schedule_is_said(self, synthetic_root, here, capsys):
        config = supervised(
            synthetic_root, here, train_cfg=dict(type='IterBasedTrainLoop', max_iters=1500, val_interval=500)
        )
        make_semi(str(config), str(synthetic_root / 'synthetic/images'), 'semi.py', method='simeps_paper')
        assert 'the ramp ends at 0.011 of the full weight' in capsys.readouterr().out
        make_semi(str(config), str(synthetic_root / 'synthetic/images'), 'plus.py', method='simeps_plus')
        assert 'the ramp ends' not in capsys.readouterr().out

    def test_the_best_branch_can_be_exported(self, synthetic_root, here, capsys):
        """MMSegmentation's metric knows no branches, so the written config has one that does."""
        evaluator = dict(type='IoUMetric', iou_metrics=['mIoU', 'mDice'])
        other = dict(type='CityscapesMetric', output_dir='out')
        config = supervised(synthetic_root, here, val_evaluator=evaluator, test_evaluator=[other, evaluator])
        cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py'))
        assert cfg.val_evaluator == dict(type='DefectIoUMetric', iou_metrics=['mIoU', 'mDice'])
        assert cfg.test_evaluator == [other, cfg.val_evaluator]
        cfg.train_cfg.val_interval = 1
        train_one(cfg)
        exported = export('run/iter_1.pth')
        assert re.search(r'branch [012] of run/iter_1.pth, the best by mIoU_fg', capsys.readouterr().out)
        assert Path(exported).exists()

    def test_the_metrics_of_an_evaluator_without_type_know_branches_too(self, synthetic_root, here):
        kept, stock, detailed = (dict(type=f'{name}Metric') for name in ('Cityscapes', 'IoU', 'DefectIoU'))
        evaluators = dict(val_evaluator=dict(metrics=stock), test_evaluator=dict(metrics=[kept, stock]))
        cfg = Config.fromfile(make_semi(str(supervised(synthetic_root, here, **evaluators)), 'images', 'semi.py'))
        assert cfg.val_evaluator == dict(metrics=detailed)
        assert cfg.test_evaluator == dict(metrics=[kept, detailed])
        assert cfg.default_hooks.checkpoint.save_best == 'mIoU_fg'

    def test_errors_in_the_data_are_called_so(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        root = here / 'copy'
        shutil.copytree(synthetic_root / 'synthetic', root)
        cfg = Config.fromfile(config)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.data_root = str(root)
        cfg.dump(config)
        name = (root / 'splits/seed0/25pct_labeled.txt').read_text().split()[0]
        (root / f'annotations/{name}.png').unlink()
        message = (
            r'^semi.py is written, but there are errors in the data, .* before training:\n  - missing pair: [^\n]*$'
        )
        with pytest.raises(UserError, match=message):
            make_semi(str(config), 'images', 'semi.py')
        printed = capsys.readouterr().out  # which does not say what comes next
        assert 'next:' not in printed
        assert 'semi.py: written' not in printed

    @pytest.mark.parametrize('part', ['unlabelled', 'labelled'])
    @pytest.mark.parametrize('method', ['simeps', 'simeps_plus'])
    def test_an_image_that_cannot_be_loaded_ends_in_no_traceback(self, method, part, synthetic_root, here, capsys):
        """The last of a part is opened for colours and views, and by no check before: training replaces or names it."""
        cfg = Config.fromfile(supervised(synthetic_root, here))
        shutil.copytree(synthetic_root / 'synthetic', here / 'copy')
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.data_root = str(here / 'copy')
        cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='PhotoMetricDistortion'))
        cfg.dump('mine.py')
        for index in range(4):
            save(here / f'pool/{index}.png', np.random.default_rng(index).integers(0, 255, (64, 64, 3), dtype=np.uint8))
        name = (here / 'copy/splits/seed0/25pct_labeled.txt').read_text().split()[-1]
        broken = here / ('pool/3.png' if part == 'unlabelled' else f'copy/images/{name}.png')
        broken.write_bytes(b'')
        named = pytest.raises(
            UserError, match=rf'semi.py is written, but .*\n.*{broken.name} cannot be read: the file is empty'
        )
        with named if (part, method) == ('labelled', 'simeps_plus') else nullcontext():
            make_semi('mine.py', 'pool', 'semi.py', method=method)
            assert 'next:' in capsys.readouterr().out

    def test_a_step_that_fails_is_a_problem_of_the_data(self, synthetic_root, here):
        cfg = Config.fromfile(supervised(synthetic_root, here))
        cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='Fails'))
        cfg.dump('mine.py')
        message = r'(?s)semi.py is written, but there are errors in the data.*that pass the pipeline, found KeyError: .no_key.'
        with pytest.raises(UserError, match=message):
            make_semi('mine.py', 'images', 'semi.py')

    @pytest.mark.parametrize(('method', 'refused'), [('simeps_plus', True), ('simeps', False)])
    def test_four_bands_are_for_methods_without_views(self, method, refused, synthetic_root, here):
        cfg = Config.fromfile(supervised(synthetic_root, here))
        shutil.copytree(synthetic_root / 'synthetic', here / 'copy')
        for file in (here / 'copy/images').rglob('*.png'):
            Image.open(file).convert('RGBA').save(file)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.data_root = str(here / 'copy')
            loader.dataset.pipeline[0].color_type = 'unchanged'
        cfg.model.data_preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
        cfg.dump('four.py')
        error = pytest.raises(UserError, match=r'model\.view: transforms take images with 3 bands, got 4')
        with error if refused else nullcontext():
            make_semi('four.py', str(here / 'copy/images'), 'semi.py', method=method)

    @pytest.mark.parametrize(
        ('fill', 'message'),
        [
            (lambda root: Path('pool/broken.png').touch(), 'unreadable: pool/broken.png (unlabelled)'),
            (
                lambda root: Path('pool/masks').symlink_to(root / 'synthetic/annotations'),
                "all 46 are masks of the config's own data sets; give the folder of the images",
            ),
            (
                lambda root: shutil.copytree(root / 'synthetic/annotations', 'pool/copies'),
                'masks as unlabelled images: pool/copies',
            ),
        ],
    )
    def test_a_folder_without_an_image_to_train_on_is_in_the_exit_code(self, synthetic_root, here, fill, message):
        Path('pool').mkdir()
        fill(synthetic_root)
        command = [ROOT / 'simeps_cli.py', 'make_semi', supervised(synthetic_root, here), '--unlabeled', 'pool']
        done = run(*command, '-o', 'semi.py', cwd=here, check=False)
        assert done.returncode == 1
        assert 'error: semi.py is written, but there are errors in the data' in done.stderr
        assert message in done.stderr
        assert 'Traceback' not in done.stderr
        assert Config.fromfile('semi.py').train_dataloader.dataset.unlabeled == 'pool'

    def test_hooks_of_its_own_stay(self, synthetic_root, here):
        config = supervised(synthetic_root, here, custom_hooks=[dict(type='EMAHook')], load_from='old.pth')
        for method in ('simeps', 'cps'):
            cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py', method=method, overwrite=True))
            own = ['EMAHook', 'SemiSupervisedHook', 'LabelsOnlyGuardHook']
            assert [hook.type for hook in cfg.custom_hooks] == own
            assert cfg.load_from == 'old.pth'
        assert MODELS.build(cfg.model).num_classes == 4

    def test_from_a_trained_network(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        cfg = Config.fromfile(config)
        train_one(cfg)
        start = Path('run').rename('plain') / 'iter_1.pth'
        make_semi(str(config), 'images', 'semi.py', checkpoint=str(start))
        assert 'start from nothing' not in capsys.readouterr().out
        cfg = Config.fromfile('semi.py')
        assert cfg.load_from == str(start)
        cfg.train_cfg.val_interval = 1
        train_one(cfg)
        assert json.loads(Path('run/labels_only.json').read_text())['reference']['iteration'] == 0

    def test_from_a_trained_network_for_each_branch(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        starts = networks_on_labels(config, 3)
        make_semi(str(config), 'images', 'semi.py', checkpoint=starts)
        said = capsys.readouterr().out
        assert 'semi.py: written, and semi_start.pth' in said
        assert said.count('all weights of the network fit') == 3
        cfg = Config.fromfile('semi.py')
        assert cfg.load_from == 'semi_start.pth'
        cfg.work_dir = 'run'
        runner = Runner.from_cfg(cfg)
        runner.load_or_resume()
        assert runner.model.trained_branches == [True] * 3
        for student in (True, False):  # the teachers, too
            networks = network_states(runner.model.state_dict(), student)
            for network, start in zip(networks, starts, strict=True):
                state = torch.load(start, weights_only=True)['state_dict']
                assert all(torch.equal(network[name], value) for name, value in state.items())

    def test_a_training_is_not_taken_to_go_on_from_several_networks(self, synthetic_root, here):
        config = supervised(synthetic_root, here)
        make_semi(str(config), 'images', 'semi.py', checkpoint=networks_on_labels(config, 3))
        cfg = Config.fromfile('semi.py')
        cfg.work_dir = 'run'
        choose_checkpoint(cfg)
        assert (cfg.resume, cfg.load_from) == (False, 'semi_start.pth')
        train_one(cfg)
        cfg.load_from = 'semi_start.pth'
        choose_checkpoint(cfg)
        assert (cfg.resume, cfg.load_from) == (True, 'run/iter_1.pth')

    @pytest.mark.parametrize(
        ('method', 'given', 'message'),
        [
            (
                'simeps_plus',
                [0, 1],
                'names 2 files, and the method trains 3 networks: give one file, or 3 different ones',
            ),
            ('unimatch', [0, 1, 2], 'names 3 files, and the method trains one network: give one file'),
            ('cps', [1, 1], r'start_1\.pth and start_1\.pth are of the same training'),
            ('cps', [1, 'later'], r'start_1\.pth and later\.pth are of the same training'),
            ('cps', [0, 'several'], r'several\.pth holds 3 networks already'),
        ],
    )
    def test_several_networks_that_do_not_serve(self, method, given, message, synthetic_root, here):
        config = supervised(synthetic_root, here)
        starts = networks_on_labels(config, 3)
        torch.save(joined_networks([Path(start) for start in starts], 3), 'several.pth')
        later = torch.load(starts[1], weights_only=True)
        later['state_dict'] = {name: value + 1 for name, value in later['state_dict'].items()}
        torch.save(later, 'later.pth')
        given = [f'{one}.pth' if isinstance(one, str) else starts[one] for one in given]
        with pytest.raises(UserError, match=message):
            make_semi(str(config), 'images', 'semi.py', method=method, checkpoint=given)
        assert not list(here.glob('semi*'))

    def test_networks_of_wrapped_and_of_averaged_models(self, synthetic_root, here):
        """DDP puts ``module.`` before each name; Mean Teacher has an average beside the one network."""
        config = supervised(synthetic_root, here)
        states = [torch.load(path, weights_only=True)['state_dict'] for path in networks_on_labels(config, 3)]
        wrapped = {f'module.{name}': value for name, value in states[0].items()}
        averaged = {f'branches.0.{name}': value for name, value in states[1].items()}
        averaged |= {f'teachers.0.module.{name}': value for name, value in states[2].items()}
        for state, path in ((wrapped, 'wrapped.pth'), (averaged, 'averaged.pth')):
            torch.save(dict(state_dict={**state, 'extra': 3}), path)
        make_semi(str(config), 'images', 'semi.py', method='cps', checkpoint=['wrapped.pth', 'averaged.pth'])
        branches = network_states(torch.load('semi_start.pth', weights_only=True)['state_dict'])
        for branch, state in zip(branches, states[:2], strict=True):
            assert all(torch.equal(branch[name], value) for name, value in state.items())

    def test_neither_file_is_written_where_one_cannot_be(self, synthetic_root, here):
        config = supervised(synthetic_root, here)
        starts = networks_on_labels(config, 3)
        cfg = Config.fromfile(config)
        cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
        cfg.param_scheduler = [dict(type='OneCycleLR', eta_max=0.1, by_epoch=True)]
        cfg.dump(config)
        Path('semi_start.pth').write_bytes(b'mine')
        with pytest.raises(UserError, match='OneCycleLR'):
            make_semi(str(config), 'images', 'semi.py', checkpoint=starts, overwrite=True)
        assert (Path('semi_start.pth').read_bytes(), [*here.glob('semi*')]) == (b'mine', [here / 'semi_start.pth'])

    def test_a_network_to_start_from_is_not_written_over(self, synthetic_root, here):
        config = supervised(synthetic_root, here)
        first, *others = networks_on_labels(config, 3)
        mine = Path(first).rename('semi_start.pth')
        before = mine.read_bytes()
        with pytest.raises(UserError, match=r'semi_start\.pth would be written over'):
            make_semi(str(config), 'images', 'semi.py', checkpoint=[str(mine), *others], overwrite=True)
        assert mine.read_bytes() == before

    def test_the_start_of_another_config_is_not_written_over(self, synthetic_root, here):
        config = supervised(synthetic_root, here)
        starts = networks_on_labels(config, 3)
        Path('semi_start.pth').write_bytes(b'mine')
        with pytest.raises(UserError, match=r'semi_start\.pth is there already'):
            make_semi(str(config), 'images', 'semi.py', checkpoint=starts)
        assert (Path('semi_start.pth').read_bytes(), Path('semi.py').exists()) == (b'mine', False)
        make_semi(str(config), 'images', 'semi.py', checkpoint=starts, overwrite=True)
        assert len(network_states(torch.load('semi_start.pth', weights_only=True)['state_dict'])) == 3

    def test_without_a_trained_network_that_is_advised(self, synthetic_root, here, capsys):
        make_semi(str(supervised(synthetic_root, here)), 'images', 'semi.py')
        assert 'without --checkpoint the branches start from nothing' in capsys.readouterr().out

    def test_a_trained_network_that_is_not_there(self, synthetic_root, here):
        with pytest.raises(UserError, match=r'checkpoint gone\.pth is not there'):
            make_semi(str(supervised(synthetic_root, here)), 'images', 'semi.py', checkpoint='gone.pth')

    @pytest.mark.parametrize(
        ('late', 'is_said'),
        [([80.0], True), ([50.0], False), ([80.0, 79.0, 78.0], False)],  # the last: flat after the best
    )
    def test_a_network_that_is_still_learning_is_to_be_trained_on(self, late, is_said, synthetic_root, here, capsys):
        log = here / 'plain/20260101/vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        lines = [dict(mIoU_fg=score, step=2000 * n) for n, score in enumerate([30.0, 49.0, *late], 1)]
        log.write_text('\n'.join(map(json.dumps, lines)))
        config = supervised(synthetic_root, here)
        state = MODELS.build(Config.fromfile(config).model).state_dict()
        torch.save(dict(meta=dict(iter=6000), state_dict=state), here / 'plain/iter_6000.pth')
        make_semi(str(config), 'images', 'semi.py', checkpoint='plain/iter_6000.pth')
        assert ('rose above all before, by 15.5 points per 1,000 steps' in capsys.readouterr().out) == is_said

    @pytest.mark.parametrize(
        ('change', 'says'),
        [
            (dict(), 'note: --checkpoint start.pth: all weights of the network fit\n'),
            (
                {'decode_head.num_classes': 3},
                ': 97.8 % of the weights of the network fit; 2 of 17 tensors do not and begin anew. '
                'decode_head.conv_seg.weight has the shape (4, 4, 1, 1) in the network and (3, 4, 1, 1) in the file. '
                'So it is no trained network',
            ),
        ],
    )
    @pytest.mark.parametrize('in_branches', [False, True])
    def test_which_share_of_a_checkpoint_fits(self, change, says, in_branches, synthetic_root, here, capsys):
        other = Config(dict(model=tiny_branch()))
        other.merge_from_dict({f'model.{key}': value for key, value in change.items()})
        state = MODELS.build(other.model).state_dict()
        if in_branches:
            state = {f'branches.{k}.{name}': value for k in range(3) for name, value in state.items()}
        torch.save(dict(state_dict=state), 'start.pth')
        make_semi(str(supervised(synthetic_root, here)), 'images', 'semi.py', checkpoint='start.pth')
        assert says in capsys.readouterr().out

    @pytest.mark.parametrize(
        ('content', 'message'),
        [
            (b'PK\x03\x04 cut off', 'checkpoint start.pth cannot be loaded'),
            (b'no checkpoint', 'it is no file that torch.save has written'),
            (dict(state_dict=[1]), 'its state_dict is a list, expected weights by their names'),
            (
                dict(state_dict={'backbone.conv1.weight': torch.zeros(2), 'decode_head.conv_seg.bias': torch.zeros(4)}),
                'start.pth is of another network than the config: none of the weights of the backbone fits. '
                'backbone.encoder.0.0.convs.0.conv.weight of the network is not in the file, which has backbone.conv1.weight',
            ),
        ],
    )
    @pytest.mark.parametrize('key', ['--checkpoint', 'load_from'])
    def test_a_checkpoint_is_looked_at_before_anything_is_written(
        self, key, content, message, synthetic_root, here, capsys
    ):
        torch.save(content, 'start.pth') if isinstance(content, dict) else Path('start.pth').write_bytes(content)
        config = supervised(synthetic_root, here, **(dict(load_from='start.pth') if key == 'load_from' else {}))
        checkpoint = () if key == 'load_from' else 'start.pth'
        with pytest.raises(UserError, match=re.escape(message)):
            make_semi(str(config), 'images', 'semi.py', checkpoint=checkpoint)
        assert not Path('semi.py').exists()
        assert capsys.readouterr().out == ''

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            ({'decode_head.in_channels': [4, 8]}, 'the config cannot be built: model.decode_head'),
            ({'backbone.base_chanels': 4}, 'the config cannot be built: model.backbone.base_chanels'),
            ({'decode_head.type': 'FCNHaed'}, 'the config cannot be built: model.decode_head.type'),
            ({'decode_head.loss_decode.0.class_weight': [1, 2]}, 'branch 0: decode_head.loss_decode: CrossEntropyLoss'),
        ],
    )
    def test_a_network_that_cannot_be_built(self, changes, message, synthetic_root, here, capsys):
        cfg = Config.fromfile(supervised(synthetic_root, here, model=tiny_branch(auxiliary=True)))
        cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
        cfg.dump('mine.json')
        expected = (
            f'semi.py is written, but there are errors in the config, to be mended before training:\n  - {message}'
        )
        with pytest.raises(UserError, match=re.escape(expected)):
            make_semi('mine.json', 'images', 'semi.py')
        assert Path('semi.py').exists()  # as on a machine that lacks a package
        assert 'next:' not in capsys.readouterr().out

    @pytest.mark.parametrize('form', ['list', 'root', 'beside'])
    def test_labelled_part(self, form, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        source, images = synthetic_root / 'synthetic', here / 'own'
        if form == 'list':
            names = (source / 'splits/seed0/25pct_labeled.txt').read_text().split()[:3]
            (here / 'own.txt').write_text('\n'.join(names))
            images = here / 'own.txt'
        else:
            beside = form == 'beside'
            for index in range(3):
                pixels = np.random.default_rng(index).integers(0, 255, (32, 32, 3), dtype=np.uint8)
                save(images / ('' if beside else 'images') / f'{index}.jpg', pixels)
                save(images / ('' if beside else 'annotations') / f'{index}.png', np.eye(32, dtype=np.uint8))
        make_semi(str(config), 'images', 'semi.py', labeled=[str(images)])
        assert 'images: 3 labelled' in capsys.readouterr().out
        dataset = DATASETS.build(Config.fromfile('semi.py').train_dataloader.dataset)
        sample = dataset.datasets[0][0]['data_samples']
        assert sample.gt_sem_seg.shape == (32, 32)

    def test_part_of_the_image_folder(self, here, capsys):
        name = f'mmseg::{CONFIGS[4]}'
        base = Config.fromfile(STOCK / CONFIGS[4])
        for leaf in (base.train_dataloader.dataset, base.val_dataloader.dataset):
            for city in ('aachen', 'bonn'):
                prefix = {key: f'{value}/{city}' for key, value in leaf.data_prefix.items()}
                make_files({**leaf, 'data_prefix': prefix})
        make_semi(name, 'images', 'out.py', labeled=['data/cityscapes/leftImg8bit/train/bonn'])
        assert 'images: 3 labelled' in capsys.readouterr().out

    @pytest.mark.parametrize('beside', [False, True])
    def test_a_folder_with_several_suffixes_is_refused(self, beside, synthetic_root, here):
        config = supervised(synthetic_root, here)
        for index, suffix in enumerate(('.jpg', '.jpg', '.bmp')):
            save(here / 'own' / ('' if beside else 'images') / f'{index}{suffix}', np.zeros((32, 32, 3), np.uint8))
            save(here / 'own' / ('' if beside else 'masks') / f'{index}.png', np.eye(32, dtype=np.uint8))
        with pytest.raises(UserError, match=r'(2 pairs .* 1 with|1 pairs .* 2 with) other suffixes, such as'):
            make_semi(str(config), 'images', 'semi.py', labeled=[str(here / 'own')])
        assert not Path('semi.py').exists()

    def test_a_folder_where_images_lack_masks_is_refused(self, synthetic_root, here):
        config = supervised(synthetic_root, here)
        for index in range(3):
            save(here / f'own/images/{index}.jpg', np.zeros((32, 32, 3), np.uint8))
        save(here / 'own/masks/0.png', np.eye(32, dtype=np.uint8))
        with pytest.raises(UserError, match=r'2 of 3 images in .*images have no mask in .*masks, such as 1\.jpg, and'):
            make_semi(str(config), 'images', 'semi.py', labeled=['own'])
        assert not Path('semi.py').exists()

    def test_a_folder_is_taken_where_the_config_has_whole_paths(self, synthetic_root, here, capsys):
        """These would stand for any root."""
        root = synthetic_root / 'synthetic'
        cfg = Config.fromfile(supervised(synthetic_root, here))
        prefix = dict(img_path=str(root / 'images/training'), seg_map_path=str(root / 'annotations/training'))
        cfg.train_dataloader.dataset.update(data_prefix=prefix, ann_file='')
        cfg.dump('mine.json')
        for index in range(3):
            save(here / f'own/images/{index}.jpg', np.full((32, 32, 3), index, np.uint8))
            save(here / f'own/annotations/{index}.png', np.eye(32, dtype=np.uint8))
        make_semi('mine.json', 'images', 'semi.py', labeled=['own'])
        assert 'images: 3 labelled' in capsys.readouterr().out

    def test_another_root_with_its_own_list(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        shutil.copytree(synthetic_root / 'synthetic', here / 'second')
        names = (here / 'second/splits/seed0/25pct_labeled.txt').read_text().split()
        (here / 'second/splits/seed0/25pct_labeled.txt').write_text('\n'.join(names[:2]))
        make_semi(str(config), 'images', 'semi.py', labeled=['second'])
        assert 'images: 2 labelled' in capsys.readouterr().out

    def test_the_image_folder_of_the_config_itself(self, synthetic_root, here, capsys):
        config = supervised(synthetic_root, here)
        folder = str(synthetic_root / 'synthetic/images/training')
        with pytest.raises(UserError, match=r'semi.py is written, .*\n  - same image: labelled and validation'):
            make_semi(str(config), 'images', 'semi.py', labeled=[folder])
        assert 'images: 40 labelled' in capsys.readouterr().out
        cfg = Config.fromfile(config)
        cfg.train_dataloader.dataset.data_prefix = dict(img_path='images/training', seg_map_path='annotations/training')
        cfg.train_dataloader.dataset.ann_file = ''
        cfg.dump(config)
        with pytest.raises(UserError, match=r'semi.py is written, .*\n  - same image: labelled and validation'):
            make_semi(str(config), 'images', 'semi.py', labeled=[folder], overwrite=True)
        assert 'images: 40 labelled' in capsys.readouterr().out

    def test_a_list_for_each_concatenated_set(self, here):
        name = CONFIGS[-1]
        make_files(Config.fromfile(STOCK / name).train_dataloader.dataset)
        for part in ('train', 'aug'):
            Path(f'{part}.txt').write_text(f'{part}0\n')
        with pytest.raises(UserError, match=r'concatenates 2 labelled data set\(s\), so give 2'):
            make_semi(f'mmseg::{name}', 'images', 'out.py', labeled=['train.txt'])
        cfg = Config.fromfile(make_semi(f'mmseg::{name}', 'images', 'out.py', labeled=['train.txt', 'aug.txt']))
        assert len(DATASETS.build(parts_of(cfg.train_dataloader.dataset)[0])) == 2

    def test_mosaics_stay(self, synthetic_root, here):
        cfg = experiment(synthetic_root, here / 'run', semi=False)
        inner = cfg.train_dataloader.dataset
        load, annotations, pack = inner.pipeline
        inner.pipeline = [load, annotations]
        mosaic = [
            dict(type='RandomMosaic', prob=1.0, img_scale=(16, 16)),
            dict(type='RandomCrop', crop_size=(16, 16)),
            pack,
        ]
        cfg.train_dataloader.dataset = dict(type='MultiImageMixDataset', dataset=inner, pipeline=mosaic)
        cfg.dump(here / 'mine.json')
        text = (here / 'mine.json').read_text().replace('[\n', '[')  # JSON has no tuples, and RandomMosaic insists
        (here / 'mine.json').write_text(text)
        (here / 'mine.py').write_text(
            "_base_ = 'mine.json'\ntrain_dataloader = dict(dataset=dict(pipeline=[\n"
            "    dict(type='RandomMosaic', prob=1.0, img_scale=(16, 16)),\n"
            "    dict(type='RandomCrop', crop_size=(16, 16), cat_max_ratio=0.75), dict(type='PackSegInputs')]))\n"
        )
        semi = Config.fromfile(make_semi('mine.py', 'images', 'semi.py'))
        unlabeled = parts_of(semi.train_dataloader.dataset)[1]
        assert [step['type'] for step in unlabeled['pipeline']] == ['RandomMosaic', 'RandomCrop', 'PackSegInputs']
        dataset = DATASETS.build(semi.train_dataloader.dataset)
        for index, has_mask in ((0, True), (len(dataset) - 1, False)):
            sample = dataset[index]
            assert sample['inputs'].shape == (3, 16, 16)
            assert ('gt_sem_seg' in sample['data_samples']) == has_mask

    def test_results_go_to_a_folder_of_their_own(self, synthetic_root, here):
        """That of the supervised training holds the network to start from, and would be moved away."""
        config = supervised(synthetic_root, here)
        assert load_config(config).work_dir == str(here / 'run')
        make_semi(str(config), 'images', 'semi.py')
        assert load_config('semi.py').work_dir != str(here / 'run')

    def test_learning_rates_are_scaled_by_labelled_images(self, synthetic_root, here):
        scaling = dict(enable=False, base_batch_size=16)
        config = supervised(synthetic_root, here, auto_scale_lr=scaling)
        cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py'))
        assert (cfg.train_dataloader.batch_size, cfg.auto_scale_lr) == (4, dict(enable=False, base_batch_size=32))

    def test_epochs_become_iterations(self, synthetic_root, here, capsys):
        config = supervised(
            synthetic_root,
            here,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=2),
            param_scheduler=[dict(type='MultiStepLR', milestones=[3, 5])],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=3), logger=dict(type='LoggerHook')),
        )
        cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py'))
        steps = 4  # 8 labelled images, two at a time
        assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=6 * steps, val_interval=2 * steps)
        assert cfg.param_scheduler == [dict(type='MultiStepLR', milestones=[12, 20], by_epoch=False)]
        expected = dict(type='CheckpointHook', interval=12, by_epoch=False, save_best='mIoU_fg')
        assert cfg.default_hooks.checkpoint == expected
        assert not cfg.log_processor.by_epoch
        assert '6 epochs of 4 steps' in capsys.readouterr().out
        train_one(cfg)
        cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py', overwrite=True, iters=12))
        assert 'on its own training set, are 24 iterations, brought to 12 by --iters' in capsys.readouterr().out
        assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=12, val_interval=4)
        assert cfg.param_scheduler == [dict(type='MultiStepLR', milestones=[6, 10], by_epoch=False)]
        assert cfg.default_hooks.checkpoint == {**expected, 'interval': 6}

    def test_another_length(self, synthetic_root, here):
        """All of the schedule shrinks alike: a training of a fifth of the steps has as many validations."""
        config = supervised(
            synthetic_root,
            here,
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=200, val_begin=500),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
                dict(type='PolyLR', eta_min=0.0, by_epoch=False, begin=50, end=2000),
            ],
        )
        before = Config.fromfile(config)
        cfg = Config.fromfile(make_semi(str(config), 'images', 'semi.py', iters=400))
        assert cfg.train_cfg == dict(type='IterBasedTrainLoop', max_iters=400, val_interval=40, val_begin=100)
        assert [(one.begin, one.end) for one in cfg.param_scheduler] == [(0, 10), (10, 400)]
        assert [one.type for one in cfg.param_scheduler] == ['LinearLR', 'PolyLR']
        assert cfg.default_hooks.checkpoint.interval == 1  # of 2 iterations
        assert Config.fromfile('mine.json').train_cfg == before.train_cfg
        with pytest.raises(UserError, match='--iters must be 1 or more, got 0'):
            make_semi(str(config), 'images', 'other.py', iters=0)

    def test_a_step_of_ones_own_that_asks_for_a_mask(self, synthetic_root, here, capsys):
        cfg = experiment(synthetic_root, here / 'run', semi=False)
        cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='BioMedical3DRandomFlip', prob=1.0, axes=(0, 1)))
        cfg.dump(here / 'mine.json')
        semi = Config.fromfile(make_semi('mine.json', 'images', 'semi.py'))
        unlabeled = DATASETS.build(semi.train_dataloader.dataset).datasets[1]
        steps = [type(step).__name__ for step in unlabeled.pipeline.transforms]
        assert steps == ['LoadImageAsUint8', 'PackSegInputs']
        assert 'BioMedical3DRandomFlip ask for a mask' in capsys.readouterr().out


class TestRefused:
    @pytest.mark.parametrize(
        ('name', 'message'),
        [
            ('swin/swin-tiny-patch4-window7_upernet_1xb8-20k_levir-256x256.py', 'is for change detection'),
            ('vpd/vpd_sd_4xb8-25k_nyu-480x480.py', 'is for depth estimation'),
            ('fcn/none.py', 'is not there; MMSegmentation keeps its own'),
        ],
    )
    def test_other_tasks(self, name, message, here):
        if 'none' not in name and not (STOCK / name).is_file():
            pytest.skip('this MMSegmentation does not have it')
        with pytest.raises(UserError, match=message):
            make_semi(f'mmseg::{name}', 'images', 'out.py')
        assert not Path('out.py').exists()

    def test_images_of_another_kind(self, here):
        name = 'unet/unet-s5-d16_fcn_4xb4-160k_hsidrive-192x384.py'
        if not (STOCK / name).is_file():
            pytest.skip('this MMSegmentation does not have it')
        with pytest.raises(UserError, match=r'images holds no image; looked for \.npy'):
            make_semi(f'mmseg::{name}', 'images', 'out.py')

    def test_semi_supervised_already(self, here):
        with pytest.raises(UserError, match='is semi-supervised already'):
            make_semi('simeps/unet_neu_10pct.py', 'images', 'out.py')

    def test_arguments(self, synthetic_root, here):
        config = 'mine.py'
        Config.fromfile(supervised(synthetic_root, here)).dump(config)
        for arguments, message in (
            (dict(unlabeled='nowhere'), '--unlabeled nowhere is not a folder'),
            (dict(method='none'), '--method none is not there; choose one of cps, '),
            (dict(labeled=['nowhere']), '--labeled nowhere is neither a list of names nor a folder'),
            (dict(labeled=['images']), 'no image in images has a mask'),
            (dict(out='semi'), 'semi is to be a config: give a name that ends in .py'),
            (dict(out=f'{config}/semi.py'), r'mine.py/semi.py cannot be written: '),
            (dict(out=config), 'is there already'),
            (dict(out=config, overwrite=True), 'is the supervised config itself'),
        ):
            with pytest.raises(UserError, match=message):
                make_semi(**{**dict(config=config, unlabeled='images', out='semi.py'), **arguments})

    @pytest.mark.parametrize(
        ('name', 'content', 'message'),
        [
            ('README.md', '# No config', 'OSError: Only py/yml/yaml/json'),
            ('broken.py', 'model = dict(\n', 'SyntaxError: '),
            ('broken.json', '{', 'JSONDecodeError: '),
            ('broken.py', 'model = dict(depth=depht)\n', "NameError: name 'depht'"),
            (
                'broken.py',
                "custom_imports = dict(imports=['no_such_module'])\n",
                "an import fails: No module named 'no_s",
            ),
        ],
    )
    def test_what_is_no_config(self, here, name, content, message):
        Path(name).write_text(content)
        with pytest.raises(UserError, match=f'config {name} cannot be read: {message}'):
            make_semi(name, 'images', 'out.py')
        assert not Path('out.py').exists()

    def test_masks_beside_unlabelled_images(self, synthetic_root, here):
        save(here / 'images/a.png', np.zeros((8, 8), np.uint8))
        config = str(supervised(synthetic_root, here))
        with pytest.raises(UserError, match=r'a\.jpg and a\.png: is one the mask of the other\?'):
            make_semi(config, 'images', 'semi.py')
        cfg = Config.fromfile(make_semi(config, 'images', 'semi.py', suffixes=['.jpg']))
        assert parts_of(cfg.train_dataloader.dataset)[1]['suffixes'] == ['.jpg']

    def test_pure_python_configs(self, here):
        Path('plain.py').write_text(
            'from mmseg.datasets import ADE20KDataset\n'
            'model = dict(type="EncoderDecoder")\noptim_wrapper = dict(type="OptimWrapper")\n'
            'train_dataloader = dict(batch_size=2, dataset=dict(type=ADE20KDataset, '
            'pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]))\n'
        )
        with pytest.raises(UserError, match='in the pure Python style of mmengine'):
            make_semi('plain.py', 'images', 'out.py')
        assert [path.name for path in here.glob('*.py')] == ['plain.py']


def test_command(synthetic_root, here):
    command = [ROOT / 'simeps_cli.py', 'make_semi', supervised(synthetic_root, here), '--unlabeled', 'images']
    done = run(*command, '-o', 'semi.py', '--method', 'unimatch', cwd=here)
    assert 'simeps check_dataset semi.py' in done.stdout
    assert Config.fromfile('semi.py').model.type == 'UniMatchSegmentor'


def test_the_pipeline_of_unlabelled_images_is_derived(synthetic_root, here):
    cfg = experiment(synthetic_root, here / 'run', semi=False)
    flip = dict(type='RandomChoice', transforms=[[dict(type='RandomFlip', prob=1.0)], [dict(type='GenerateEdge')]])
    cfg.train_dataloader.dataset.pipeline.insert(2, flip)
    cfg.dump(here / 'mine.json')
    semi = Config.fromfile(make_semi('mine.json', 'images', 'semi.py'))
    pipeline = parts_of(semi.train_dataloader.dataset)[1]['pipeline']
    assert [step['type'] for step in pipeline] == ['LoadImageAsUint8', 'RandomChoice', 'PackSegInputs']
    assert pipeline[1]['transforms'] == [[dict(type='RandomFlip', prob=1.0)], []]
