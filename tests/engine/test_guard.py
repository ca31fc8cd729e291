"""What labels alone reached, and what is done where it is lost."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.engine import LabelsOnlyGuardHook
from simeps_mmseg.engine.guard import GuardFiles, GuardState, Reference, empty_agreement, losses_since, not_found
from simeps_mmseg.engine.hooks.access import find_hook
from simeps_mmseg.engine.hooks.labels_only_guard import numbers
from simeps_mmseg.engine.ramp import RampSchedule
from simeps_mmseg.models import TriBranchSemiSegmentor
from simeps_mmseg.utils import UserError
from tests.helpers import experiment, tiny_branch, tiny_model

CLASSES = ('background', 'scratch', 'patch', 'pit')


def scores(fg, scratch=60.0, branches=(60.0, 60.0, 60.0)):
    classes = {'IoU.background': 95.0, 'IoU.scratch': scratch, 'IoU.patch': 60.0, 'IoU.pit': 0.4}
    return {'mIoU_fg': fg, **classes, **{f'branch_{k}.mIoU_fg': score for k, score in enumerate(branches)}}


REFERENCE = Reference(100, 'mIoU_fg', scores(60.0))


class TestRules:
    def test_worse_is_not_lost(self):
        assert list(losses_since(REFERENCE, scores(43.0, scratch=13.0, branches=(31.0, 60.0, 60.0)))) == []

    @pytest.mark.parametrize(
        ('changes', 'message'),
        [
            (dict(fg=41.0), 'mIoU_fg is 41.0, with labels alone it was 60.0'),
            (dict(fg=float('nan')), 'mIoU_fg is nan'),
            (dict(fg=60.0, scratch=11.0), 'scratch has an IoU of 11.0, with labels alone it had 60.0'),
            (dict(fg=60.0, branches=(60.0, 29.0, 60.0)), 'branch 1 is dead: its mIoU_fg is 29.0'),
        ],
    )
    def test_what_is_lost(self, changes, message):
        (lost,) = losses_since(REFERENCE, scores(**changes))
        assert lost.startswith(message)

    def test_a_class_that_labels_alone_did_not_find_cannot_be_lost(self):
        assert not_found(REFERENCE.metrics) == ['pit']
        assert list(losses_since(REFERENCE, {**scores(60.0), 'IoU.pit': 0.0})) == []

    def test_a_class_that_all_agree_not_to_see_is_lost_if_validation_says_so(self):
        (lost,) = losses_since(REFERENCE, scores(60.0, scratch=50.0), vanished=['scratch'])
        assert lost == 'all branches agree everywhere, without scratch, whose IoU is 50.0 (labels alone: 60.0)'
        assert not list(losses_since(REFERENCE, scores(60.0, scratch=61.0), vanished=['scratch', 'pit']))

    def test_a_score_that_is_no_number_is_below_all(self):
        assert Reference(0, 'mIoU_fg', scores(float('nan'))).score == float('-inf')
        assert Reference(0, 'mIoU_fg', scores(float('nan'), branches=(5.0, 7.0, float('nan')))).top == 7.0

    def test_empty_agreement(self):
        lost = {'agreement': 1.0, 'pseudo_share.crack': 0.0, 'label_share.crack': 0.01, 'pseudo_share.ok': 1.0}
        assert empty_agreement(lost) == ['crack']
        assert empty_agreement({**lost, 'agreement': 0.99}) == []
        assert empty_agreement({**lost, 'label_share.crack': 0.0}) == []


class TestFiles:
    def test_without_scores_of_branches_the_one_that_was_scored_is_kept(self, tmp_path):
        state = MODELS.build(tiny_model()).state_dict()
        GuardFiles(tmp_path).keep_network(state, Reference(5, 'mIoU_fg', {'mIoU_fg': 60.0}), scored=1)
        kept = read_checkpoint(tmp_path / 'labels_only.pth')
        key = 'decode_head.conv_seg.weight'
        assert torch.equal(kept['state_dict'][key], state[f'branches.1.{key}'])
        assert not torch.equal(kept['state_dict'][key], state[f'branches.0.{key}'])
        assert kept['meta']['branch'] == 1

    @pytest.mark.parametrize(('resumed_at', 'says'), [(2000, True), (3000, False)])
    def test_weights_of_after_the_checkpoint_are_said(self, tmp_path, monkeypatch, resumed_at, says):
        said = []
        monkeypatch.setattr('simeps_mmseg.engine.guard.files.print_log', lambda text, *_: said.append(text))
        files = GuardFiles(tmp_path)
        files.keep_good(3000, dict(state_dict=dict(w=torch.ones(1))))
        assert files.read_good(['state_dict'], resumed_at)['state_dict']['w'] == 1
        assert [f'iteration 3000, and the training goes on from {resumed_at}' in text for text in said] == [True] * says
        assert files.read_good(['state_dict', 'ema_state_dict'], resumed_at) is None


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OptimiserOfEachBranch:
    """An Adam for each branch."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        pass

    def __call__(self, model):
        return OptimWrapperDict(
            **{
                f'branch_{k}': OptimWrapper(torch.optim.Adam(branch.parameters()))
                for k, branch in enumerate(model.branches)
            }
        )


@MODELS.register_module()
class StepsOfEachOptimiser(TriBranchSemiSegmentor):
    """A segmentor with a training step for several optimisers."""

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        total, logged = self.parse_losses(self(**data, mode='loss'))
        total.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
            wrapper.zero_grad()
        return logged


def guarded(
    root,
    folder,
    validations,
    max_iters=8,
    labels_only=0,
    save_best='mIoU_fg',
    rule=None,
    more_hooks=(),
    patience_iters=0,
    **changes,
):
    """A runner whose validations say what they are told, and validate every second iteration."""
    ramp = dict(type='SemiSupervisedHook', rampup_share=0.5, labels_only_iters=labels_only, health_interval=0)
    guard = dict(type='LabelsOnlyGuardHook', patience_iters=patience_iters)
    cfg = experiment(root, folder, max_iters=max_iters, custom_hooks=[ramp, guard, *more_hooks], **changes)
    cfg.experiment_name = f'guarded_{time.time_ns()}'  # runs within one second would share a log
    cfg.train_cfg.val_interval = 2
    if save_best is not None:
        cfg.default_hooks.checkpoint.update(save_best=save_best, rule=rule)
    runner = Runner.from_cfg(cfg)
    said = iter(validations)
    runner.val_loop.evaluator.evaluate = lambda size: dict(next(said))
    return runner


@pytest.fixture
def plain(synthetic_root, tmp_path):
    """The checkpoint of a network that was trained on labels alone."""
    runner = Runner.from_cfg(experiment(synthetic_root, tmp_path / 'plain', semi=False, max_iters=2))
    runner.train()
    return tmp_path / 'plain/iter_2.pth'


def record(folder):
    return json.loads((folder / 'labels_only.json').read_text())


def log_of(folder):
    return ''.join(path.read_text() for path in folder.glob('2*/*.log'))


class TestFromATrainedNetwork:
    def test_its_validation_is_the_reference_and_its_weights_are_kept(self, synthetic_root, tmp_path, plain):
        runner = guarded(synthetic_root, tmp_path / 'run', [scores(60.0), *[scores(50.0)] * 4], load_from=str(plain))
        runner.train()
        found = record(tmp_path / 'run')
        assert (found['reference']['iteration'], found['reference']['metrics']['mIoU_fg']) == (0, 60.0)
        assert Path(runner.message_hub.get_info('best_ckpt')).name == 'best_mIoU_fg_iter_0.pth'
        kept, given = (read_checkpoint(path)['state_dict'] for path in (tmp_path / 'run/labels_only.pth', plain))
        assert kept.keys() == given.keys()
        assert all(torch.equal(kept[key], given[key]) for key in given)

    def test_says_that_nothing_was_gained(self, synthetic_root, tmp_path, plain):
        guarded(synthetic_root, tmp_path / 'run', [scores(60.0), *[scores(50.0)] * 4], load_from=str(plain)).train()
        assert 'mIoU_fg is 50.00, below that of labels alone (60.00)' in log_of(tmp_path / 'run')
        assert 'nothing was gained on validation: the best mIoU_fg is that of labels alone (60.00' in log_of(
            tmp_path / 'run'
        )

    @pytest.mark.parametrize(
        ('weights', 'says', 'not_said'),
        [
            (None, 'class weights in the loss on the labels, more iterations', 'already'),
            ([1, 2, 2, 2], 'the loss on the labels has class weights already, so more labels', 'check_dataset'),
        ],
    )
    def test_weights_are_advised_where_there_are_none(self, weights, says, not_said, synthetic_root, tmp_path, plain):
        branch = tiny_branch()
        branch.decode_head.loss_decode[0].class_weight = weights
        validations = [scores(60.0), scores(60.0)]
        model = tiny_model(branch=branch)
        guarded(synthetic_root, tmp_path, validations, max_iters=1, model=model, load_from=str(plain)).train()
        (line,) = [line for line in log_of(tmp_path).splitlines() if 'labels alone do not find pit' in line]
        assert says in line
        assert not_said not in line

    def test_says_what_was_gained(self, synthetic_root, tmp_path, plain):
        runner = guarded(
            synthetic_root,
            tmp_path / 'run',
            [scores(60.0), scores(61.0), scores(66.5), *[scores(64.0)] * 2],
            load_from=str(plain),
        )
        runner.train()
        assert '60.00 with labels alone, 66.50 with the best checkpoint (+6.50)' in log_of(tmp_path / 'run')
        assert record(tmp_path / 'run')['best'] == 66.5

    def test_steps_back_from_a_collapse(self, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0, scratch=0.0, branches=(2.0, 2.0, 2.0))
        runner = guarded(
            synthetic_root, tmp_path / 'run', [scores(60.0), scores(61.0), *[collapsed] * 3], load_from=str(plain)
        )
        weights, factors = {}, []
        run_iter = runner.train_loop.run_iter

        def watched(batch):
            if runner.iter in (2, 4):  # what the validation saw; what the next step starts from
                weights[runner.iter] = {k: v.clone() for k, v in runner.model.branches.state_dict().items()}
            run_iter(batch)
            factors.append((runner.model.rampup, runner.model.consistency_scale))

        runner.train_loop.run_iter = watched
        runner.train()
        assert all(torch.equal(weights[2][key], weights[4][key]) for key in weights[2])
        schedule = RampSchedule(rampup_share=0.5)
        assert [ramp for ramp, _ in factors] == pytest.approx([schedule.rampup(i, 8) for i in range(8)])
        assert [scale for _, scale in factors] == [1.0] * 4 + [0.5] * 2 + [0.25] * 2
        assert [event['iteration'] for event in record(tmp_path / 'run')['events']] == [4, 6, 8]

        assert 'scratch has an IoU of 0.0, with labels alone it had 60.0' in log_of(tmp_path / 'run')
        assert 'Back to the last good weights, with 0.5 of the weight' in log_of(tmp_path / 'run')
        assert runner.message_hub.get_info('best_score') == 61.0

    @pytest.mark.parametrize('save_best', [None, 'auto', 'mIoU_fg', ['mIoU_fg', 'branch_0.mIoU_fg']])
    def test_whatever_keeps_the_best_checkpoint(self, save_best, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0, scratch=0.0, branches=(2.0, 2.0, 2.0))
        validations = [scores(60.0), scores(61.0), collapsed, scores(62.0), scores(58.0)]
        guarded(synthetic_root, tmp_path / 'run', validations, save_best=save_best, load_from=str(plain)).train()
        found = record(tmp_path / 'run')
        assert (found['stepped_back'], found['best'], found['reference']['key']) == (1, 62.0, 'mIoU_fg')
        assert '60.00 with labels alone, 62.00 with the best checkpoint' in log_of(tmp_path / 'run')

    def test_a_score_that_falls_is_not_taken_for_one_that_grows(self, synthetic_root, tmp_path, plain):
        validations = [{**scores(60.0 + i), 'error': 1.0 / (i + 1)} for i in range(5)]
        runner = guarded(
            synthetic_root, tmp_path / 'run', validations, save_best='error', rule='less', load_from=str(plain)
        )
        runner.train()
        found = record(tmp_path / 'run')
        assert (found['stepped_back'], found['reference']['key'], found['best']) == (0, 'mIoU_fg', 64.0)

    def test_goes_back_to_weights_of_which_nothing_was_lost(self, synthetic_root, tmp_path, plain):
        dead = scores(65.0, branches=(66.0, 5.0, 66.0))  # the best by its score, but not good
        runner = guarded(
            synthetic_root, tmp_path / 'run', [scores(60.0), scores(61.0), *[dead] * 3], load_from=str(plain)
        )
        weights, states = {}, []
        run_iter = runner.train_loop.run_iter

        def watched(batch):
            weights[runner.iter] = {k: v.clone() for k, v in runner.model.branches.state_dict().items()}
            states.append(len(runner.optim_wrapper.optimizer.state))
            run_iter(batch)

        runner.train_loop.run_iter = watched
        runner.train()
        assert all(torch.equal(weights[2][key], weights[4][key]) for key in weights[2])
        assert states[:6] == [0, states[1], states[1], states[1], 0, states[1]]  # Adam begins anew
        assert record(tmp_path / 'run')['best'] == 65.0

    def test_a_score_that_stays_below_is_acted_on(self, synthetic_root, tmp_path, plain):
        guarded(synthetic_root, tmp_path / 'run', [scores(60.0), *[scores(50.0)] * 4], load_from=str(plain)).train()
        (event,) = record(tmp_path / 'run')['events']
        assert event['iteration'] == 6
        assert 'mIoU_fg has been below that of labels alone (60.0) for 3 validations' in event['text']

    @pytest.mark.parametrize(('patience_iters', 'acted_on'), [(8, [8]), (9, []), (800, [])])
    def test_not_before_the_iterations_that_unlabelled_images_may_cost(
        self, patience_iters, acted_on, synthetic_root, tmp_path, plain
    ):
        below = [scores(50.0)] * 4
        guarded(
            synthetic_root,
            tmp_path / 'run',
            [scores(60.0), *below],
            patience_iters=patience_iters,
            load_from=str(plain),
        ).train()
        assert [event['iteration'] for event in record(tmp_path / 'run')['events']] == acted_on
        assert log_of(tmp_path / 'run').count('below that of labels alone (60.00). The best checkpoint stays') >= 3

    def test_the_iterations_count_from_the_last_that_was_not_below(self, synthetic_root, tmp_path, plain):
        course = [scores(60.0), scores(50.0), scores(61.0), *[scores(50.0)] * 3]
        guarded(synthetic_root, tmp_path / 'run', course, max_iters=10, patience_iters=6, load_from=str(plain)).train()
        assert [event['iteration'] for event in record(tmp_path / 'run')['events']] == [10]

    def test_a_record_is_the_state(self):
        references = (Reference(step, 'mIoU_fg', scores(60.0)) for step in (600, 300))
        known = GuardState(*references, below=3, not_below=700)
        assert GuardState.from_record(known.to_record()) == known
        earlier = {key: value for key, value in known.to_record().items() if key != 'labels_best'}
        assert GuardState.from_record(earlier).labels_best == known.reference

    def test_after_the_last_attempt_it_only_warns(self, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0)
        runner = guarded(
            synthetic_root, tmp_path / 'run', [scores(60.0), *[collapsed] * 5], max_iters=10, load_from=str(plain)
        )
        runner.train()
        found = record(tmp_path / 'run')
        assert (found['stepped_back'], len(found['events'])) == (3, 5)
        assert runner.model.consistency_scale == 0
        assert log_of(tmp_path / 'run').count('Back to the last good weights') == 3

    def test_scores_that_are_no_numbers_do_not_end_the_training(self, synthetic_root, tmp_path, plain):
        nothing = scores(float('nan'), branches=(float('nan'),) * 3)
        guarded(synthetic_root, tmp_path / 'run', [nothing, scores(30.0), *[nothing] * 3], load_from=str(plain)).train()
        assert record(tmp_path / 'run')['best'] == 30.0

    def test_files_of_an_earlier_training_go(self, synthetic_root, tmp_path, plain):
        (tmp_path / 'run').mkdir()
        (tmp_path / 'run/labels_only.json').write_text('{}')
        (tmp_path / 'run/labels_only.pth').touch()
        guarded(synthetic_root, tmp_path / 'run', [scores(60.0)] * 4).train()
        assert not (tmp_path / 'run/labels_only.pth').exists()
        assert record(tmp_path / 'run')['reference'] is None

    @pytest.mark.parametrize(('times', 'factor'), [(0, 1.0), (1, 0.5), (2, 0.25), (3, 0.0), (4, 0.0)])
    def test_the_third_time_only_labels_are_left(self, times, factor):
        assert GuardState(stepped_back=times).factor(attempts=3) == factor

    def test_goes_on_after_an_interruption(self, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0)
        first = guarded(synthetic_root, tmp_path / 'run', [scores(60.0), collapsed, scores(50.0)], load_from=str(plain))

        run_iter = first.train_loop.run_iter

        def stop_at_five(batch):
            if first.iter == 4:
                raise KeyboardInterrupt
            run_iter(batch)

        first.train_loop.run_iter = stop_at_five
        with pytest.raises(KeyboardInterrupt):
            first.train()
        again = guarded(synthetic_root, tmp_path / 'run', [scores(65.0)] * 3, resume=True)
        again.train()
        found = record(tmp_path / 'run')
        assert (found['reference']['iteration'], found['stepped_back'], found['best']) == (0, 1, 65.0)
        assert again.model.consistency_scale == 0.5


class TestFromNothing:
    def test_the_reference_is_taken_before_the_ramp(self, synthetic_root, tmp_path):
        validations = [scores(30.0), scores(40.0), scores(45.0), scores(50.0), scores(55.0)]
        runner = guarded(synthetic_root, tmp_path, validations, labels_only=3)
        factors = []
        run_iter = runner.train_loop.run_iter
        runner.train_loop.run_iter = lambda batch: run_iter(batch) or factors.append(runner.model.rampup)
        runner.train()
        # At 2 as every second iteration, at 3 for the reference; there pit is not found, but half the schedule is near.
        assert factors[:4] == [0, 0, 0, 0]
        assert factors[4] > 0
        assert record(tmp_path)['reference']['iteration'] == 3

    def test_goes_on_on_labels_until_every_class_is_found(self, synthetic_root, tmp_path):
        found = {**scores(60.0), 'IoU.pit': 20.0}
        runner = guarded(synthetic_root, tmp_path, [scores(50.0), *[found] * 4], labels_only=2, max_iters=10)
        factors = []
        run_iter = runner.train_loop.run_iter
        runner.train_loop.run_iter = lambda batch: run_iter(batch) or factors.append(runner.model.rampup)
        runner.train()
        assert 'labels alone do not find pit yet: they go on alone until 4' in log_of(tmp_path)
        assert factors[:5] == [0] * 5
        assert factors[5] > 0
        assert record(tmp_path)['reference']['iteration'] == 4

    def test_a_gain_is_one_over_the_best_of_labels_alone(self, synthetic_root, tmp_path):
        """Also where a branch was best, and so the network to keep, at another validation of labels alone."""
        first, second = scores(70.0, branches=(68.0,) * 3), scores(69.0, branches=(71.0, 60.0, 60.0))
        guarded(synthetic_root, tmp_path, [first, second, scores(69.5), scores(69.5)], labels_only=4).train()
        found = record(tmp_path)
        assert [found[name]['iteration'] for name in ('reference', 'labels_best')] == [4, 2]
        assert found['below'] == 2
        assert 'nothing was gained on validation: the best mIoU_fg is that of labels alone (70.00' in log_of(tmp_path)

    def test_without_a_stretch_on_labels_there_is_no_reference(self, synthetic_root, tmp_path):
        guarded(synthetic_root, tmp_path, [scores(1.0)] * 4).train()
        assert record(tmp_path)['reference'] is None


class TestBesideOtherParts:
    def test_scores_with_a_prefix(self, synthetic_root, tmp_path, plain):
        lost = scores(60.0, scratch=0.0, branches=(60.0, 2.0, 60.0))
        validations = [{f'val/{name}': score for name, score in one.items()} for one in (scores(60.0), lost, lost)]
        guarded(
            synthetic_root,
            tmp_path / 'run',
            validations,
            max_iters=4,
            save_best='val/mIoU_fg',
            rule='greater',
            load_from=str(plain),
        ).train()
        (event, _) = record(tmp_path / 'run')['events']
        assert event['text'].startswith('scratch has an IoU of 0.0')
        assert 'branch 1 is dead' in event['text']
        assert 'labels alone do not find pit.' in log_of(tmp_path / 'run')

    def test_only_what_is_one_number_is_looked_at(self):
        one = {'a': 1, 'b': np.float32(2.0), 'c': torch.tensor([3.0]), 'd': np.array([[4.0]])}
        assert numbers({**one, 'e': np.arange(2), 'f': torch.zeros(2), 'g': 'five', 'h': np.zeros(0)}) == dict(
            a=1.0, b=2.0, c=3.0, d=4.0
        )

    @pytest.mark.parametrize('predict_with', ['student', 'teacher'])
    def test_what_was_validated_is_kept(self, predict_with, synthetic_root, tmp_path):
        model = tiny_model(
            teacher=dict(type='ExponentialMovingAverage', momentum=0.1),
            test_cfg=dict(branch_predictions=True, predict_with=predict_with),
        )
        runner = guarded(synthetic_root, tmp_path, [scores(60.0)] * 2, max_iters=4, labels_only=2, model=model)
        evaluate, validated = runner.val_loop.evaluator.evaluate, {}

        def watched(size):
            for name, network in (('student', runner.model.branches[0]), ('teacher', runner.model.teachers[0].module)):
                validated[runner.iter, name] = {key: value.clone() for key, value in network.state_dict().items()}
            return evaluate(size)

        runner.val_loop.evaluator.evaluate = watched
        runner.train()
        kept = dict(read_checkpoint(tmp_path / 'labels_only.pth')['state_dict'])
        key = 'decode_head.conv_seg.weight'
        assert not torch.equal(validated[2, 'student'][key], validated[2, 'teacher'][key])
        torch.testing.assert_close(kept, validated[2, predict_with], atol=0, rtol=0)

    def test_a_sum_of_gradients_does_not_outlive_its_weights(self, synthetic_root, tmp_path, plain):
        runner = guarded(
            synthetic_root,
            tmp_path / 'run',
            [scores(60.0), scores(2.0), scores(60.0)],
            max_iters=3,
            load_from=str(plain),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1), accumulative_counts=4),
        )
        seen = []
        run_iter = runner.train_loop.run_iter
        runner.train_loop.run_iter = lambda batch: (
            seen.append([p.grad is not None and bool(p.grad.any()) for p in runner.model.branches.parameters()]),
            run_iter(batch),
        )
        runner.train()
        assert [any(held) for held in seen] == [False, True, False]

    def test_every_optimiser_begins_anew(self, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0, scratch=0.0, branches=(2.0, 2.0, 2.0))
        runner = guarded(
            synthetic_root,
            tmp_path / 'run',
            [scores(60.0), scores(61.0), *[collapsed] * 3],
            load_from=str(plain),
            optim_wrapper=dict(constructor='OptimiserOfEachBranch'),
            model=tiny_model(type='StepsOfEachOptimiser'),
        )
        sizes = []
        run_iter = runner.train_loop.run_iter

        def watched(batch):
            sizes.append([len(wrapper.optimizer.state) for wrapper in runner.optim_wrapper.values()])
            run_iter(batch)

        runner.train_loop.run_iter = watched
        runner.train()
        full = sizes[1]
        assert len(full) == 3
        assert min(full) > 0
        assert sizes[:6] == [[0] * 3, full, full, full, [0] * 3, full]

    def test_several_optimisers_without_a_step_for_them_are_refused(self, synthetic_root, tmp_path):
        runner = guarded(synthetic_root, tmp_path, [], optim_wrapper=dict(constructor='OptimiserOfEachBranch'))
        message = (
            r'optim_wrapper: 3 optimisers \(branch_0, branch_1, branch_2\), but TriBranchSemiSegmentor makes one step'
        )
        with pytest.raises(UserError, match=message):
            runner.train()

    def test_the_average_of_the_ema_hook_is_what_is_kept_and_goes_back(self, synthetic_root, tmp_path, plain):
        collapsed = scores(2.0, scratch=0.0, branches=(2.0, 2.0, 2.0))
        validations = [scores(60.0), scores(61.0), *[collapsed] * 3]
        runner = guarded(
            synthetic_root,
            tmp_path / 'run',
            validations,
            load_from=str(plain),
            more_hooks=[dict(type='EMAHook', momentum=0.5)],
        )
        average = find_hook(runner, EMAHook)
        seen = {}
        run_iter = runner.train_loop.run_iter

        def watched(batch):
            if runner.iter in (2, 4):  # what the validation left; what the next step starts from
                for name, network in (('model', runner.model), ('average', average.ema_model)):
                    seen[name, runner.iter] = {k: v.clone() for k, v in network.state_dict().items()}
            run_iter(batch)

        runner.train_loop.run_iter = watched
        runner.train()
        for name in ('model', 'average'):
            assert all(torch.equal(seen[name, 2][key], seen[name, 4][key]) for key in seen[name, 2])
        key = 'branches.0.decode_head.conv_seg.weight'
        assert not torch.equal(seen['model', 2][key], seen['average', 2][f'module.{key}'])
        kept = read_checkpoint(tmp_path / 'run/last_good.pth')
        assert torch.equal(kept['ema_state_dict'][f'module.{key}'], seen['average', 2][f'module.{key}'])

    def test_with_the_ema_hook_the_network_of_labels_alone_is_the_average(self, synthetic_root, tmp_path):
        runner = guarded(
            synthetic_root,
            tmp_path,
            [scores(50.0), *[scores(60.0)] * 4],
            labels_only=3,
            more_hooks=[dict(type='EMAHook', momentum=0.5)],
        )
        average = find_hook(runner, EMAHook)
        seen = {}
        run_iter = runner.train_loop.run_iter

        def watched(batch):
            if runner.iter == 3:
                seen.update({k: v.clone() for k, v in average.ema_model.module.branches[0].state_dict().items()})
            run_iter(batch)

        runner.train_loop.run_iter = watched
        runner.train()
        assert record(tmp_path)['reference']['iteration'] == 3
        kept = read_checkpoint(tmp_path / 'labels_only.pth')['state_dict']
        assert all(torch.equal(kept[key], seen[key]) for key in kept)


@pytest.mark.parametrize('options', [dict(attempts=0), dict(longest=1.0), dict(patience_iters=-1)])
def test_refuses_other_numbers(options):
    with pytest.raises(UserError, match='attempts and patience are 1 or more, patience_iters 0 or more and longest a'):
        LabelsOnlyGuardHook(**options)
