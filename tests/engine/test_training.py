"""The hook, the checks and the loop together, on a real miniature runner."""

import copy
import json
import logging
import math
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import MODELS, TRANSFORMS

from simeps_mmseg.apis.train import prepare_model, use_amp
from simeps_mmseg.apis.train import train as train_tool
from simeps_mmseg.engine import SemiSupervisedHook
from simeps_mmseg.engine.checks import check_start
from simeps_mmseg.engine.hooks.access import find_hook
from simeps_mmseg.engine.hooks.consistency_ramp import ConsistencyRampHook
from simeps_mmseg.engine.hooks.pseudo_label_statistics import PseudoLabelStatisticsHook
from simeps_mmseg.engine.pseudo_label_health import PseudoLabelHealth, agreement, class_counts
from simeps_mmseg.engine.ramp import RampSchedule
from simeps_mmseg.engine.resume import choice
from simeps_mmseg.engine.starvation import StarvationWatch
from simeps_mmseg.models.segmentors import StepRecord
from simeps_mmseg.models.utils import sync_bn
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_tree import walk_dicts
from tests.helpers import experiment, tiny_branch, tiny_model, with_concat_dataset


def train(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def scalars(runner):
    """The lines of the log that a plotting tool would read."""
    log = Path(runner._log_dir) / 'vis_data/scalars.json'
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_trains_validates_and_logs(synthetic_root, tmp_path):
    runner = train(experiment(synthetic_root, tmp_path, max_iters=4))
    log = scalars(runner)
    steps = [line for line in log if 'loss' in line]
    assert len(steps) == 4
    weights = [line['consistency_weight'] for line in steps]
    schedule = RampSchedule(rampup_share=1.0, rampup_interval=1)
    assert weights == pytest.approx([0.1 * schedule.rampup(i, 4) for i in range(4)])
    last = steps[-1]
    assert 0 <= last['agreement'] <= 1
    for name in ('pseudo_share', 'label_share'):
        shares = [last[f'{name}.{label}'] for label in ('background', 'scratch', 'patch', 'pit')]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
    scores = log[-1]
    assert {'mIoU', 'mIoU_image', 'branch_0.mIoU_image', 'branch_2.mIoU'} <= set(scores)


def test_masks_of_unlabeled_images_are_never_opened(synthetic_root, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(synthetic_root, root)
    folder = root / 'synthetic'
    deleted = (folder / 'splits/seed0/25pct_unlabeled.txt').read_text().split()
    for name in deleted:
        (folder / f'annotations/{name}.png').unlink()
    assert len(deleted) > 20
    train(experiment(root, tmp_path / 'run', max_iters=8))


def test_resume_equals_an_uninterrupted_run(synthetic_root, tmp_path):
    whole = train(experiment(synthetic_root, tmp_path / 'whole', max_iters=4))
    cfg = experiment(synthetic_root, tmp_path / 'parts', max_iters=4)
    interrupted = Runner.from_cfg(cfg)

    run_iter = interrupted.train_loop.run_iter

    def stop_after_two(batch):
        if interrupted.iter == 2:
            raise KeyboardInterrupt
        run_iter(batch)

    interrupted.train_loop.run_iter = stop_after_two
    with pytest.raises(KeyboardInterrupt):
        interrupted.train()
    resumed = experiment(synthetic_root, tmp_path / 'parts', max_iters=4, resume=True)
    runner = train(resumed)
    assert runner.iter == 4
    for (name, value), other in zip(whole.model.state_dict().items(), runner.model.state_dict().values()):
        torch.testing.assert_close(value, other, msg=name)


def with_step(dataset, step):
    """A data set config with a step behind each first one."""
    for _, node in list(walk_dicts(dataset)):
        if 'pipeline' in node:
            node['pipeline'].insert(1, step)
    return dataset


class TestChecks:
    def refuses(self, cfg, message):
        with pytest.raises(UserError, match=message):
            train(cfg)

    def test_epoch_based_loop(self, synthetic_root, tmp_path):
        loop = dict(type='EpochBasedTrainLoop', max_epochs=1)
        cfg = experiment(synthetic_root, tmp_path, train_cfg=loop, param_scheduler=[])
        self.refuses(cfg, "EpochBasedTrainLoop counts epochs.*use dict\\(type='IterBasedTrainLoop'")

    def test_batch_size(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path)
        cfg.train_dataloader.batch_size = 8
        self.refuses(cfg, r'batch_size=8, but the sampler draws num_labeled=2 \+ num_unlabeled=4 = 6')

    @pytest.mark.parametrize('labels_only_iters', [0, 3])
    def test_images_of_which_views_see_nothing(self, synthetic_root, tmp_path, monkeypatch, labels_only_iters):
        class AsFractions:
            def __call__(self, results):
                return {**results, 'img': results['img'].astype('float32') / 255}

        monkeypatch.setitem(TRANSFORMS.module_dict, 'AsFractions', AsFractions)
        view = dict(type='RandomView', transforms=[dict(type='ColorJitter', brightness=0.2)])
        hook = dict(type='SemiSupervisedHook', rampup_iters=0, labels_only_iters=labels_only_iters)
        cfg = experiment(synthetic_root, tmp_path, model=tiny_model(view=view), custom_hooks=[hook])
        cfg.train_dataloader.dataset = with_step(cfg.train_dataloader.dataset.to_dict(), dict(type='AsFractions'))
        self.refuses(cfg, r'model\.view: transforms take images with values from 0 to 255, and these reach')
        assert not list(tmp_path.glob('iter_*.pth'))

    @pytest.mark.parametrize(
        'options', [{}, dict(teacher=dict(type='ExponentialMovingAverage', momentum=0.1)), dict(batch_renorm=True)]
    )
    def test_an_image_that_running_statistics_normalise_may_be_alone(self, synthetic_root, tmp_path, options):
        branch = tiny_branch()
        branch.decode_head = dict(
            type='PSPHead',
            pool_scales=(1, 2),
            **{
                key: value
                for key, value in branch.decode_head.items()
                if key not in ('type', 'num_convs', 'concat_input')
            },
        )
        cfg = experiment(synthetic_root, tmp_path, model=tiny_model(branch=branch, similarity=None, **options))
        cfg.train_dataloader.sampler.num_unlabeled = 1
        cfg.train_dataloader.batch_size = 3
        if not options:
            self.refuses(cfg, 'num_unlabeled=1: branch 0 has batch norm behind pooling to one pixel')
        else:
            train(cfg)

    def test_single_image_per_part(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path)
        cfg.train_dataloader.batch_size = 5
        cfg.train_dataloader.sampler.num_labeled = 1
        self.refuses(cfg, 'num_labeled=1: the similarity map .* constant')

    def test_unlabeled_images_with_masks(self, synthetic_root, tmp_path):
        cfg = with_concat_dataset(experiment(synthetic_root, tmp_path))
        labeled, unlabeled = cfg.train_dataloader.dataset.datasets
        unlabeled.pipeline = labeled.pipeline
        unlabeled.data_prefix = labeled.data_prefix
        self.refuses(cfg, r'(?s)unlabelled\): the pipeline has LoadAnnotations.*data_prefix has seg_map_path')

    def test_transforms_that_need_a_mask(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path)
        crop = dict(type='RandomCrop', crop_size=(16, 16), cat_max_ratio=0.75)
        own = [dict(type='LoadImageFromFile'), crop, dict(type='PackSegInputs')]
        cfg.train_dataloader.dataset.unlabeled.pipeline = own
        self.refuses(cfg, r"RandomCrop in the pipeline asks for 'gt_seg_map'.*set its cat_max_ratio=1.0")

    def test_labeled_images_without_masks(self, synthetic_root, tmp_path):
        cfg = with_concat_dataset(experiment(synthetic_root, tmp_path))
        labeled, unlabeled = cfg.train_dataloader.dataset.datasets
        labeled.pipeline = unlabeled.pipeline
        self.refuses(cfg, r'labelled\): the pipeline has no LoadAnnotations')

    def test_number_of_classes(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path, model=tiny_model(branch=tiny_branch(5)))
        self.refuses(cfg, r'num_classes=5, but SyntheticDefectDataset has 4 classes: background, scratch')

    def test_validation_images_in_training(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path)
        cfg.val_dataloader.dataset.ann_file = 'splits/seed0/5pct_labeled.txt'
        self.refuses(cfg, 'images of val_dataloader are also trained on')

    def test_validation_images_without_masks(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path)
        cfg.val_dataloader.dataset.pipeline.pop(1)
        self.refuses(cfg, 'val_dataloader.dataset: the pipeline has no LoadAnnotations')

    def test_supervised_model(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path, semi=False, custom_hooks=[dict(type='SemiSupervisedHook')])
        self.refuses(cfg, 'EncoderDecoder has no unsupervised losses')

    def test_all_problems_at_once(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path, model=tiny_model(branch=tiny_branch(5)))
        cfg.train_dataloader.batch_size = 8
        self.refuses(cfg, '(?s)batch_size=8.*num_classes=5')


class TestPreflight:
    """What ``simeps train`` looks at also where the config has no hook for it."""

    def refuses(self, cfg, path, message, **options):
        cfg.dump(path / 'config.py')
        with pytest.raises(UserError, match=message):
            train_tool(str(path / 'config.py'), **options)

    def test_batches_without_the_hook(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run', custom_hooks=[])
        cfg.train_dataloader.batch_size = 7
        self.refuses(cfg, tmp_path, 'batch_size=7, but the sampler draws')

    def test_epochs_without_the_hook(self, synthetic_root, tmp_path):
        loop = dict(type='EpochBasedTrainLoop', max_epochs=1)
        cfg = experiment(synthetic_root, tmp_path / 'run', custom_hooks=[], train_cfg=loop, param_scheduler=[])
        self.refuses(cfg, tmp_path, 'EpochBasedTrainLoop counts epochs')

    @pytest.mark.parametrize('value', [-2, 0, 1.5, 'many'])
    def test_a_length_that_is_none(self, synthetic_root, tmp_path, value):
        cfg = experiment(synthetic_root, tmp_path / 'run')
        message = f'^train_cfg.max_iters must be a whole number of 1 or more, got {value!r}$'
        self.refuses(cfg, tmp_path, message, options=[f'train_cfg.max_iters={value}'])
        assert not (tmp_path / 'run').exists()

    def test_class_weights_of_a_plain_network(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run', semi=False)
        cfg.model.decode_head.loss_decode = dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])
        self.refuses(
            cfg,
            tmp_path,
            'model.decode_head.loss_decode: CrossEntropyLoss.class_weight has 2 numbers, but .* 4 classes',
        )

    def test_a_longer_schedule_on_resuming(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run', semi=False, max_iters=2)
        for part in (cfg.model.backbone, cfg.model.decode_head):
            part.norm_cfg.type = 'BN'
        cfg.dump(tmp_path / 'config.py')
        train_tool(str(tmp_path / 'config.py'))
        cfg.train_cfg.max_iters = 3
        cfg.param_scheduler[0].end = 3
        message = r'param_scheduler\[0\].end=3, but the schedule of the checkpoint that is resumed ends at 2'
        self.refuses(cfg, tmp_path, message, resume=True)
        cfg.param_scheduler[0].end = 2
        cfg.dump(tmp_path / 'config.py')
        assert train_tool(str(tmp_path / 'config.py'), resume=True).iter == 3

    def test_weights_of_another_model_to_start_from(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run')
        torch.save(dict(state_dict={'backbone.weight': torch.zeros(1)}), tmp_path / 'plain.pth')
        for name, message in (
            (
                'plain.pth',
                r'has no weight of this model, nor of one of its branches \(it has backbone.weight',
            ),
            ('none.pth', r'load_from=.*none.pth is not there'),
        ):
            cfg.load_from = str(tmp_path / name)
            self.refuses(cfg, tmp_path, message)
        model = MODELS.build(cfg.model)
        state = {f'module.{key}': torch.full_like(value, 0.25) for key, value in model.state_dict().items()}
        torch.save(dict(state_dict=state), tmp_path / 'parallel.pth')  # as of several processes
        check_start(str(tmp_path / 'parallel.pth'), model)

    @pytest.mark.parametrize('semi', [False, True])
    @pytest.mark.parametrize('start', ['weights.pth', '~/weights.pth', 'https://example.org/weights.pth'])
    def test_weights_alone_are_no_training_to_go_on_with(self, synthetic_root, tmp_path, monkeypatch, start, semi):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv('HOME', str(tmp_path))
        torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
        cfg = experiment(synthetic_root, tmp_path / 'run', semi=semi, load_from=start)
        (tmp_path / 'run').mkdir()
        choice.choose_checkpoint(cfg)
        assert (cfg.resume, cfg.load_from) == (False, start)
        newest = tmp_path / 'run/iter_2.pth'
        torch.save(dict(state_dict={}, meta=dict(iter=2), optimizer={}), newest)
        choice.choose_checkpoint(cfg)
        assert (cfg.resume, cfg.load_from) == (True, str(newest))

    def test_resuming_goes_before_the_network_to_start_from(self, synthetic_root, tmp_path):
        plain = Runner.from_cfg(experiment(synthetic_root, tmp_path / 'plain', semi=False, max_iters=2))
        plain.train()
        cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=2, load_from=str(tmp_path / 'plain/iter_2.pth'))
        cfg.dump(tmp_path / 'config.py')
        first = train_tool(str(tmp_path / 'config.py'), resume=True)  # nothing there yet: a beginning
        assert (first.iter, first._load_from) == (2, cfg.load_from)
        cfg.train_cfg.max_iters = cfg.param_scheduler[0].end = 2
        again = train_tool(str(tmp_path / 'config.py'), resume=True)
        assert again.iter == 2
        assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters()))

    def test_a_work_folder_that_cannot_be_written(self, synthetic_root, tmp_path):
        (tmp_path / 'file').touch()
        self.refuses(experiment(synthetic_root, tmp_path / 'file/run'), tmp_path, 'file/run cannot be written')

    def test_masks_of_the_validation_set(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run', semi=False)
        cfg.val_dataloader.dataset.pipeline.pop(1)
        self.refuses(cfg, tmp_path, r'no masks: val_dataloader.dataset \(validation\)')


class TestStarving:
    """A class that vanishes from the pseudo-labels is named, once, and again when it is back."""

    def shares(self, pseudo):
        return {
            'label_share.pit': 0.02,
            'pseudo_share.pit': pseudo,
            'label_share.ok': 0.98,
            'pseudo_share.ok': 1 - pseudo,
        }

    def test_warns_once_until_it_recovers(self):
        watch = StarvationWatch(0.25)
        news = [list(watch.news(self.shares(pseudo))) for pseudo in (0.02, 0.004, 0.001, 0.01, 0.0)]
        assert [len(of_interval) for of_interval in news] == [0, 1, 0, 1, 1]
        (level, text), back, (again, last) = (of_interval[0] for of_interval in news if of_interval)
        assert level == again == logging.WARNING
        assert text.startswith('pit is 0.40% of the pseudo-labels but 2.00% of the labels')
        assert 'class_weight=[7.0, 1.0]' in text
        assert back == (logging.INFO, 'pit is back among the pseudo-labels')
        assert last.startswith('pit is 0.00%')

    def test_class_weights_are_not_advised_where_there_are_some(self):
        ((_, text),) = StarvationWatch(has_class_weights=True).news(self.shares(0.0))
        assert 'class_weight=' not in text
        assert 'has class weights already' in text

    @pytest.mark.parametrize('weights', [None, [1.0, 2.0, 3.0, 4.0]])
    def test_class_weights_of_the_branches_are_seen(self, weights, synthetic_root, tmp_path, monkeypatch):
        shares = {**self.shares(0.0), 'agreement': 1.0}
        monkeypatch.setattr(PseudoLabelHealth, 'compute', lambda self: shares)
        cfg = experiment(synthetic_root, tmp_path, max_iters=2)
        cfg.custom_hooks[0].update(starving_after_share=0)
        cfg.model.branch.decode_head.loss_decode = dict(type='CrossEntropyLoss', class_weight=weights)
        runner = train(cfg)
        text = (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
        assert ('has class weights already' in text) == (weights is not None)

    def test_images_that_happen_not_to_show_a_class_do_not_bring_it_back(self):
        watch = StarvationWatch()
        unseen = {**self.shares(0.0), 'label_share.pit': 0.0}
        news = [list(watch.news(shares)) for shares in (self.shares(0.0), unseen, self.shares(0.0))]
        assert [len(of_interval) for of_interval in news] == [1, 0, 0]

    def test_classes_that_no_label_shows_are_named_once(self, synthetic_root, tmp_path, monkeypatch):
        shares = {'label_share.ok': 1.0, 'label_share.pit': 0.0, 'label_share.stain': 0.0}
        monkeypatch.setattr(PseudoLabelHealth, 'compute', lambda self: shares)
        runner = train(experiment(synthetic_root, tmp_path, max_iters=4))
        text = (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
        assert text.count('no label so far shows') == 1
        assert 'iteration 2: no label so far shows pit, stain.' in text

    def test_after_a_resume_nothing_is_told_again(self, synthetic_root, tmp_path, monkeypatch):
        shares = {'label_share.ok': 0.9, 'label_share.pit': 0.1, 'pseudo_share.ok': 1.0, 'pseudo_share.pit': 0.0}
        monkeypatch.setattr(PseudoLabelHealth, 'compute', lambda self: shares)

        def told(**changes):
            cfg = experiment(synthetic_root, tmp_path, max_iters=4, **changes)
            cfg.custom_hooks[0].update(starving_after_share=0)
            cfg.default_hooks.checkpoint.interval = 2
            runner = train(cfg)
            text = (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
            return text.count('pit is 0.00% of the pseudo-labels'), text.count('no label so far shows pit')

        assert told() == (1, 0)
        for label_share in (0.1, 0.0):  # what starves is known; what the labels showed before the interruption is, too
            (tmp_path / 'iter_4.pth').unlink()
            (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
            shares['label_share.pit'] = label_share
            assert told(resume=True) == (0, 0)

    def test_a_run_whose_branches_deny_the_defects_is_warned_about(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path, max_iters=3)
        cfg.custom_hooks[0].update(health_interval=2, starving_after_share=0)
        runner = Runner.from_cfg(cfg)
        for branch in runner.model.branches:
            branch.decode_head.init_cfg = None
        runner.model.init_weights()
        runner.model._is_init = True
        with torch.no_grad():
            for branch in runner.model.branches:
                branch.decode_head.conv_seg.bias.copy_(torch.tensor([50.0, 0, 0, 0]))
        runner.train()
        text = (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
        assert 'scratch is 0.00% of the pseudo-labels' in text

    @pytest.mark.parametrize('changes', [dict(starving=1.0), dict(starving=-0.1)])
    def test_refuses_other_numbers(self, changes):
        with pytest.raises(ValueError, match='starving is a fraction'):
            SemiSupervisedHook(**changes)


class TestHook:
    def test_a_share_of_the_schedule(self):
        schedule = RampSchedule(rampup_share=0.5, rampup_interval=1)
        assert schedule.rampup(499, 1000) < 1
        assert schedule.rampup(500, 1000) == 1.0

    def test_one_as_a_share_and_as_a_count(self):
        assert RampSchedule(rampup_share=1).rampup(999, 1000) < RampSchedule(rampup_iters=1).rampup(1, 1000) == 1.0

    def test_a_share_grows_with_each_iteration_a_count_as_in_the_paper(self):
        share, count = RampSchedule(rampup_share=0.625), RampSchedule()
        assert share.rampup(374, 600) < share.rampup(375, 600) == 1.0
        assert share.rampup(10, 600) < share.rampup(11, 600)
        assert count.rampup(149, 1000) == count.rampup(0, 1000) < count.rampup(150, 1000)

    def test_a_ramp_shorter_than_its_interval(self):
        assert RampSchedule(rampup_iters=100).rampup(50, 1000) < 1
        with pytest.raises(
            ValueError, match='rampup_iters=100 that changes every rampup_interval=150 iterations is a jump'
        ):
            SemiSupervisedHook(rampup_iters=100, rampup_interval=150)

    def test_zero_is_no_ramp(self):
        assert RampSchedule(rampup_iters=0).rampup(0, 10) == 1.0

    def test_labels_only_then_exactly_zero_then_one(self):
        schedule = RampSchedule(rampup_share=0.4, labels_only_share=0.25)
        factors = [schedule.rampup(i, 20) for i in range(20)]
        assert factors[:6] == [0.0] * 6  # five of labels alone, and the first of the ramp
        assert all(a < b for a, b in pairwise(factors[5:14]))
        assert factors[13:] == [1.0] * 7
        assert schedule.rampup(1, 20, begin=0) == factors[6]  # from a trained network

    def test_the_released_ramp_begins_above_zero(self):
        schedule = RampSchedule(rampup_iters=30000, from_zero=False)
        assert schedule.rampup(0, 48000) == pytest.approx(math.exp(-5))

    @pytest.mark.parametrize('name', ['labels_only_share', 'starving_after_share'])
    @pytest.mark.parametrize('value', [-1, -0.1, 1.0, 'many'])
    def test_refuses_other_stretches(self, name, value):
        with pytest.raises(
            UserError, match=rf'SemiSupervisedHook.{name} must be a share of max_iters, a number in \[0, 1\)'
        ):
            SemiSupervisedHook(**{name: value})

    @pytest.mark.parametrize('name', ['rampup_iters', 'labels_only_iters'])
    @pytest.mark.parametrize('value', [-1, 1.5, -0.1, 0.0, True])
    def test_refuses_other_counts(self, name, value):
        with pytest.raises(UserError, match=f'SemiSupervisedHook.{name} must be a count of iterations.*got {value}$'):
            SemiSupervisedHook(**{name: value})

    @pytest.mark.parametrize('value', [0, 0.0, 1.1, -0.5])
    def test_refuses_other_shares(self, value):
        with pytest.raises(UserError, match=r'rampup_share must be a share of max_iters, a number in \(0, 1\], got'):
            SemiSupervisedHook(rampup_share=value)

    @pytest.mark.parametrize('name', ['rampup', 'labels_only'])
    def test_refuses_a_length_given_twice(self, name):
        message = f'{name}_iters=3 and {name}_share=0.4 say the same thing twice; give one, and set the other to None'
        with pytest.raises(UserError, match=message):
            SemiSupervisedHook(**{f'{name}_iters': 3, f'{name}_share': 0.4})
        SemiSupervisedHook(**{f'{name}_iters': 3, f'{name}_share': None})

    @pytest.mark.parametrize(
        ('options', 'message'),
        [
            (dict(rampup_iters=0.4), 'for a share of max_iters write rampup_share=0.4 in its place'),
            (dict(rampup_iters=1.0), 'for a share of max_iters write rampup_share=1.0 in its place'),
            (dict(labels_only=0.25), 'has no labels_only; write labels_only_share=0.25'),
            (dict(labels_only=2000), 'has no labels_only; write labels_only_iters=2000'),
            (dict(starving_after=0.1), 'has no starving_after; write starving_after_share=0.1'),
            (dict(starving_after=0), 'has no starving_after; write starving_after_share, a share of max_iters'),
            (dict(ramp=3), 'has no ramp; it has rampup_iters, rampup_share, .*starving_after_share$'),
        ],
    )
    def test_says_what_to_write_instead(self, options, message):
        with pytest.raises(UserError, match=message):
            SemiSupervisedHook(**options)

    def test_refuses_other_intervals(self):
        with pytest.raises(ValueError, match='rampup_interval must be 1 or more'):
            SemiSupervisedHook(rampup_interval=0)


class TestHealth:
    def test_agreement_counts_pixels_that_are_the_same_in_all(self):
        maps = [torch.tensor([[0, 1, 2, 3]]), torch.tensor([[0, 1, 0, 3]]), torch.tensor([[0, 2, 0, 3]])]
        assert agreement(maps, 255).item() == 0.5
        maps[0][0, 1], maps[2][0, 2] = 255, 255  # 0 and 3 are left
        assert agreement(maps, 255).item() == 1
        assert agreement([torch.full((1, 2), 255)] * 2, 255).item() == 1

    def test_class_counts_leave_out_what_is_no_class(self):
        assert class_counts(torch.tensor([[0, 2, 2, 255]]), 3).tolist() == [1, 0, 2]

    def test_shares_over_several_steps(self):
        health = PseudoLabelHealth(['a', 'b'])
        for value in (0, 1):
            labels, pseudo = torch.tensor([[[0, 0]]]), [torch.tensor([[[value, 255]]])] * 2
            health.update(StepRecord(labels, pseudo, [torch.zeros(1, 1, 2), torch.full((1, 1, 2), value)], 255))
        expected = {
            'agreement': 0.5,
            'pseudo_share.a': 0.5,
            'pseudo_share.b': 0.5,
            'label_share.a': 1.0,
            'label_share.b': 0.0,
        }
        assert health.compute() == expected
        health.reset()
        assert health.compute() == {}

    def test_without_a_pixel_that_counts_there_are_no_shares_to_compare(self):
        health = PseudoLabelHealth(['a', 'b'])
        health.update(StepRecord(torch.tensor([[[0, 1]]]), [torch.full((1, 1, 2), 255)], [], 255))
        assert health.compute() == {'label_share.a': 0.5, 'label_share.b': 0.5}


@pytest.mark.parametrize('kind', ['OptimWrapper', 'mmengine.OptimWrapper', OptimWrapper, None])
def test_mixed_precision_takes_a_plain_wrapper_by_any_name(kind):
    cfg = Config(dict(optim_wrapper=dict(type=kind) if kind else dict()))
    use_amp(cfg)
    assert cfg.optim_wrapper.type == ('AmpOptimWrapper' if torch.cuda.is_available() else 'BFloat16OptimWrapper')
    with pytest.raises(UserError, match='and the config has Mine'):
        use_amp(Config(dict(optim_wrapper=dict(type='Mine'))))


def test_training_says_whose_sync_bn_becomes_bn(synthetic_root, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(sync_bn, 'print_log', lambda text, **_: said.append(text))
    prepare_model(experiment(synthetic_root, tmp_path, semi=False), from_scratch=False)
    prepare_model(experiment(synthetic_root, tmp_path), from_scratch=False)
    parts = ('backbone.norm_cfg', 'decode_head.norm_cfg')
    assert said == [
        f'One process: SyncBN becomes BN in {", ".join(f"model.{prefix}{part}" for part in parts)}'
        for prefix in ('', 'branch.')
    ]


def test_resuming_from_nothing_is_said(synthetic_root, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(choice, 'print_log', lambda text, *args: said.append(text))
    cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=2)
    cfg.dump(tmp_path / 'config.py')
    line = f'--resume: there is no checkpoint to go on from in {tmp_path}/run; training starts from the beginning'
    for expected in (1, 0):  # the second time there is one
        said.clear()
        assert train_tool(str(tmp_path / 'config.py'), resume=True).iter == 2
        assert said.count(line) == expected
    (tmp_path / 'run/last_checkpoint').unlink()
    said.clear()
    choice.choose_checkpoint(cfg)
    assert said == [f'--resume: training goes on from {tmp_path}/run/iter_2.pth']


class TestLooks:
    def test_ten_iterations_of_an_interval_are_looked_at_and_labels_in_all(self):
        hook = PseudoLabelStatisticsHook(interval=25)
        calls = []
        hook._health = SimpleNamespace(
            update=lambda step: calls.append(step),
            update_labels=lambda step: calls.append(None),
            add_up=lambda: None,
            compute=lambda: {},
            reset=lambda: None,
        )
        hook._warn = lambda runner: None
        for iteration in range(50):
            step = SimpleNamespace(last_step=iteration + 1)
            hook.after_train_iter(SimpleNamespace(iter=iteration, model=step), iteration)
        looked_at = [call for call in calls if call]
        assert len(calls) == 50
        assert looked_at == sorted({*range(2, 51, 2), 25, 50})


class TestTeachers:
    """While labels are learned alone they are copies, from the ramp on averages, and what was loaded stays."""

    @pytest.mark.parametrize(
        ('labels_only', 'scale', 'are_copies'), [(0.5, 1.0, True), (0.0, 1.0, False), (0.0, 0.0, False)]
    )
    def test_restart_while_labels_are_alone(self, synthetic_root, tmp_path, labels_only, scale, are_copies):
        teacher = dict(type='ExponentialMovingAverage', momentum=0.003)
        whole = experiment(synthetic_root, tmp_path / 'first', max_iters=1, model=tiny_model(teacher=teacher))
        model = Runner.from_cfg(whole).model
        with torch.no_grad():
            for weight in model.teachers.parameters():
                weight.fill_(0.5)  # as after many steps
        for one in model.teachers:
            one.steps.fill_(100)
        cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=4, model=whole.model)
        cfg.custom_hooks[0].update(labels_only_share=labels_only)
        runner = Runner.from_cfg(cfg)
        runner.model.load_state_dict(model.state_dict())
        runner.model.trained_branches = [not labels_only] * 3
        runner.model.consistency_scale = scale
        before = copy.deepcopy(runner.model.branches.state_dict())
        hook = find_hook(runner, ConsistencyRampHook)
        hook.before_train(runner)
        hook.set_rampup(runner)
        runner.model.train().begin_step()
        weights = zip(runner.model.teachers.networks[0].parameters(), runner.model.branches[0].parameters())
        assert all(torch.equal(*both) for both in weights) == are_copies
        assert all(torch.equal(value, before[name]) for name, value in runner.model.branches.state_dict().items())


class TestTooShort:
    @pytest.mark.parametrize(
        ('labels_only', 'max_iters', 'needed'),
        [(0.25, 400, 2000), (0.25, 1900, 2000), (0.25, 2000, None), (0, 400, None)],
    )
    def test_a_schedule_is_told_how_long_it_has_to_be(self, labels_only, max_iters, needed):
        schedule = RampSchedule(rampup_share=0.1, labels_only_share=labels_only)
        told = list(schedule.warnings(max_iters, is_trained=False))
        assert len(told) == bool(needed)
        assert not needed or f'train {needed} or more' in told[0]

    @pytest.mark.parametrize(('max_iters', 'told'), [(1199, 1), (1200, 0)])
    def test_a_trained_network_is_told_that_a_schedule_is_short(self, max_iters, told):
        found = list(RampSchedule(rampup_share=0.1).warnings(max_iters, is_trained=True))
        assert len(found) == told
        assert not told or 'was measured with 1200. Train as many or more' in found[0]

    def test_from_a_trained_network_the_ramp_has_the_whole_schedule(self):
        schedule = RampSchedule(rampup_share=0.9, labels_only_share=0.25)
        assert list(schedule.warnings(2000, is_trained=True)) == []
        (told,) = schedule.warnings(2000, is_trained=False)
        assert 'the ramp ends at 0.' in told

    def test_it_is_said_before_the_first_step_unless_the_network_is_trained(self, synthetic_root, tmp_path):
        hooks = [dict(type='SemiSupervisedHook', rampup_share=0.25, labels_only_share=0.25)]
        runner = train(experiment(synthetic_root, tmp_path / 'new', custom_hooks=hooks, experiment_name='new'))
        log = (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
        assert log.index('labels alone get the first 1 of max_iters=4') < log.index('Iter(train)')
        start = str(tmp_path / 'new/iter_4.pth')
        cfg = experiment(synthetic_root, tmp_path / 'on', custom_hooks=hooks, load_from=start, experiment_name='on')
        runner = train(cfg)
        assert 'labels alone get' not in (Path(runner._log_dir) / f'{runner.timestamp}.log').read_text()
