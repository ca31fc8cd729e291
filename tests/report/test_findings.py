from pathlib import Path

import numpy as np
import pytest

from simeps_mmseg.report import Finding, RunContext, checks_made, log_findings, score_findings
from simeps_mmseg.report.findings import share_ratios
from simeps_mmseg.visualization.training_log import TrainingLog

STEPS = range(100, 4001, 100)


def log_of(train=None, val=None, **values) -> TrainingLog:
    """A training of 4,000 iterations with a loss of 1; ``values``: functions of the iteration."""
    lines = [dict(step=step, loss=1.0, **{k.replace('__', '.'): f(step) for k, f in values.items()}) for step in STEPS]
    return TrainingLog(Path('log.json'), train if train is not None else lines, val or [])


def texts(findings: list[Finding]) -> str:
    return '\n'.join(finding.text for finding in findings)


def starving(step: int) -> float:
    return 0.03 if step <= 2000 else 0.006


class TestEnding:
    @pytest.mark.parametrize('has_checkpoint', [True, False])
    def test_a_run_that_stopped_half_way(self, has_checkpoint):
        found = log_findings(log_of(), RunContext(max_iters=8000, has_checkpoint=has_checkpoint))
        assert found[0].serious
        assert 'The log ends at iteration 4,000 of 8,000' in found[0].text
        assert ('--resume' in found[0].text) == has_checkpoint

    def test_a_run_that_stopped_after_its_first_line(self):
        found = log_findings(log_of(train=[dict(step=50, loss=1.0)]), RunContext(max_iters=20000))
        assert 'The log ends at iteration 50 of 20,000' in found[0].text

    @pytest.mark.parametrize('max_iters', [4000, 4050])
    def test_a_run_that_ended_as_it_should(self, max_iters):
        # The last line stands at the last multiple of the interval.
        assert 'ends at' not in texts(log_findings(log_of(), RunContext(max_iters=max_iters)))

    def test_epochs(self):
        lines = [dict(step=10 * k, epoch=k, loss=1.0) for k in range(1, 6)]
        assert 'ends at epoch 5 of 12' in texts(log_findings(log_of(train=lines), RunContext(max_epochs=12)))
        assert 'ends at' not in texts(log_findings(log_of(train=lines), RunContext(max_epochs=5)))

    def test_nothing_is_claimed_where_the_length_is_not_known(self):
        assert 'is not known' in texts(log_findings(log_of()))

    def test_a_resumed_run(self):
        log = log_of()
        log.resumed.append(2100)
        assert 'resumed shortly before iteration 2,100' in texts(log_findings(log))


class TestLosses:
    def test_that_are_lost(self):
        found = log_findings(log_of(decode__loss_ce=lambda step: float('nan') if step >= 700 else 0.3))
        assert 'decode.loss_ce was not a finite number at iteration 700' in found[0].text
        assert found[0].serious

    def test_that_recover(self):
        found = log_findings(log_of(decode__loss_ce=lambda step: float('inf') if step == 700 else 0.3))
        assert not any(finding.serious for finding in found)
        assert 'was one again at the end' in texts(found)

    def test_finite_ones_are_fine(self):
        assert 'finite' not in texts(log_findings(log_of()))


class TestPseudoLabels:
    def test_a_class_that_starves(self):
        log = log_of(pseudo_share__scratches=starving, label_share__scratches=lambda step: 0.03)
        found = [finding for finding in log_findings(log) if 'scratches' in finding.text]
        assert len(found) == 1
        assert found[0].serious
        # Means over five lines: below a quarter from the fifth line after the change on.
        assert (
            'scratches fell to a fifth of its labelled share among the pseudo-labels after iteration 2,500'
            in found[0].text
        )

    def test_a_class_that_is_gone(self):
        log = log_of(pseudo_share__pits=lambda step: 0.0, label_share__pits=lambda step: 0.01)
        found = texts(log_findings(log, RunContext(networks=3)))
        assert (
            'pits stands at nothing among the pseudo-labels and was never above a quarter of what the labels show'
            in found
        )
        assert 'the branches teach each other' in found
        assert 'the branches' not in texts(log_findings(log, RunContext(networks=1)))

    def test_the_threshold_is_that_of_the_training(self):
        log = log_of(pseudo_share__pits=lambda step: 0.002, label_share__pits=lambda step: 0.01)
        assert 'pits stands at a fifth' in texts(log_findings(log))
        assert 'pits' not in texts(log_findings(log, RunContext(starving=0.1)))
        assert 'pits stands at a fifth' in texts(log_findings(log, RunContext(starving=0.3)))

    @pytest.mark.parametrize(
        ('share', 'weight', 'is_said'),
        [
            (0.1, lambda step: 0.1, True),
            (0.6, lambda step: 0.1, False),
            (0.1, lambda step: 0.1 * (step > 2000), False),  # the ramp began after the class was back
            (0.1, None, True),
        ],
    )
    def test_what_is_not_judged_yet_is_that_of_the_training(self, share, weight, is_said):
        scalars = {} if weight is None else {'consistency_weight': weight}
        log = log_of(
            pseudo_share__pits=lambda step: 0.01 if step > 1500 else 0.001,
            label_share__pits=lambda step: 0.01,
            **scalars,
        )
        found = texts(log_findings(log, RunContext(max_iters=4000, starving_after_share=share)))
        assert ('pits was below a quarter' in found) == is_said

    def test_class_weights_are_not_advised_where_there_are_some(self):
        log = log_of(pseudo_share__pits=lambda step: 0.0, label_share__pits=lambda step: 0.01)
        assert 'in this order (docs/methods.md): class weights in the loss' in texts(log_findings(log))
        found = texts(log_findings(log, RunContext(has_class_weights=True)))
        assert 'in this order (docs/methods.md): the loss on the labels has class weights already' in found

    def test_a_class_that_came_back(self):
        log = log_of(
            pseudo_share__pits=lambda step: 0.01 if step > 1000 else 0.001, label_share__pits=lambda step: 0.01
        )
        found = next(finding for finding in log_findings(log) if 'pits' in finding.text)
        assert not found.serious
        assert 'and came back' in found.text

    def test_a_class_that_takes_over(self):
        log = log_of(pseudo_share__pits=lambda step: 0.05, label_share__pits=lambda step: 0.01)
        assert 'pits takes 5.0 times its labelled share' in texts(log_findings(log))

    def test_healthy_ones_are_not_mentioned(self):
        log = log_of(pseudo_share__pits=lambda step: 0.009, label_share__pits=lambda step: 0.01)
        assert 'pits' not in texts(log_findings(log))

    def test_ratio_is_of_means(self):
        log = log_of(pseudo_share__pits=starving, label_share__pits=lambda step: 0.02 if step % 200 else 0.04)
        steps, ratios = share_ratios(log, 'pits')
        assert len(steps) == len(ratios) == len(STEPS) - 4
        assert ratios[0] == pytest.approx(1.0)
        assert ratios[-1] == pytest.approx(0.2)

    def test_a_class_without_labels_has_no_ratio(self):
        log = log_of(pseudo_share__pits=starving, label_share__pits=lambda step: 0.0)
        assert len(share_ratios(log, 'pits')[0]) == 0


def validations(*scores, **others) -> list[dict]:
    return [
        dict(step=1000 * (k + 1), mIoU_image=score, **{key.replace('__', '.'): value for key, value in others.items()})
        for k, score in enumerate(scores)
    ]


class TestValidation:
    def test_none(self):
        assert 'The training log has no validation' in texts(log_findings(log_of()))

    def test_of_other_scores(self):
        found = texts(log_findings(log_of(val=[dict(step=1000, mDice=50.0)])))
        assert 'has no mIoU_fg, mIoU_image or mIoU' in found
        assert 'no validation' not in found

    def test_a_best_one_in_the_middle(self):
        found = log_findings(log_of(val=validations(40.0, 62.5, 60.0)), RunContext(max_iters=4000))
        assert 'mIoU_image 62.5 at iteration 2,000' in texts(found)
        assert '2.5 points above the last one' in texts(found)
        assert found[0].serious
        kept = log_findings(log_of(val=validations(40.0, 62.5, 60.0)), RunContext(keeps_best=True))
        assert 'The best checkpoint was kept' in texts(kept)
        assert not any(finding.serious for finding in kept)

    def test_one_that_still_rises(self):
        found = log_findings(log_of(val=validations(40.0, 50.0, 60.0)))
        assert 'still rose by 10.0 points' in texts(found)

    def test_a_class_that_is_not_found(self):
        found = log_findings(log_of(val=validations(40.0, IoU__background=99.0, IoU__pits=3.0)))
        assert 'pits is hardly found: IoU 3.0 %' in texts(found)

    def test_undefined_in_every_validation(self):
        assert 'undefined in every validation' in texts(log_findings(log_of(val=validations(float('nan')))))

    def test_a_branch_that_lags_behind(self):
        val = validations(60.0, branch_0__mIoU_image=61.0, branch_1__mIoU_image=50.0)
        assert 'Branch 1 is 11.0 points of mIoU_image behind branch 0' in texts(log_findings(log_of(val=val)))

    def test_branches_that_disagree(self):
        val = validations(60.0, branch_0__mIoU_image=60.0, branch_1__mIoU_image=60.0)
        found = texts(log_findings(log_of(val=val, agreement=lambda step: 0.7)))
        assert 'agree on only 70%' in found


class TestScores:
    classes = ('background', 'scratch', 'pit')

    def test_missed_and_false_pixels(self):
        matrix = np.array([[900, 0, 70], [60, 40, 0], [0, 0, 30]])
        found = score_findings(matrix, self.classes, num_images=100)
        assert found[0] == Finding(
            True, '60% of the pixels of scratch are not recognised; most are taken for background.'
        )
        assert found[1] == Finding(True, '70% of what is called pit is something else, mostly background.')
        assert len(found) == 2

    def test_a_class_that_no_image_shows(self):
        found = score_findings(np.diag([900, 40, 0]), self.classes, num_images=12)
        assert 'No image shows pit' in texts(found)
        assert 'few images (12)' in texts(found)
        assert not any(finding.serious for finding in found)


def test_only_what_was_looked_at_is_said_to_be_fine():
    assert checks_made(log_of()) == ['how the training ended', 'its losses']
    log = log_of(val=validations(50.0, 60.0), pseudo_share__pits=lambda step: 0.01, label_share__pits=lambda step: 0.01)
    assert checks_made(log)[2:] == ['the pseudo-labels of 1 classes', '2 validations']


class TestLabelsOnly:
    def record(self, best, events=()):
        reference = dict(iteration=200, key='mIoU_fg', metrics=dict(mIoU_fg=60.0))
        return dict(reference=reference, best=best, events=list(events), until=200, stepped_back=len(events))

    def findings(self, record, **around):
        return log_findings(log_of(val=validations(60.0, 61.0)), RunContext(labels_only=record, **around))

    def test_nothing_gained_is_the_first_line(self):
        first = self.findings(self.record(60.0))[0]
        assert first.serious
        assert 'brought nothing on validation: the best mIoU_fg is 60.0' in first.text

    def test_a_gain_is_good_to_know(self):
        (finding,) = (one for one in self.findings(self.record(66.5)) if 'with labels alone' in one.text)
        assert not finding.serious
        assert finding.text == 'mIoU_fg on validation: 60.0 with labels alone, 66.5 with the best checkpoint (+6.5).'

    def test_what_was_lost_on_the_way_is_quoted_in_full(self):
        events = [dict(iteration=400, text='pit is gone'), dict(iteration=1600, text='scratch is gone. Back to x.pth')]
        decision, *quoted = self.findings(self.record(66.5, events))[:3]
        assert decision.serious
        assert decision.text.endswith(
            '(+6.5). On the way the guard saw losses, the first at iteration 400: pit is gone.'
        )
        assert quoted == [
            (True, 'At iteration 400: pit is gone.'),
            (True, 'At iteration 1,600: scratch is gone. Back to x.pth.'),
        ]

    def test_a_dead_branch_stands_before_the_decision_and_that_before_everything_else(self):
        val = validations(60.0, 40.0, branch_0__mIoU_image=61.0, branch_1__mIoU_image=0.0)
        log = log_of(val=val, decode__loss_ce=lambda step: float('nan'))
        run = RunContext(max_iters=9000, labels_only=self.record(66.5, [dict(iteration=400, text='pit is gone')]))
        found = [finding.text for finding in log_findings(log, run)]
        starts = ('Branch 1 is dead', 'mIoU_fg on validation', 'At iteration 400', 'The log ends', 'decode.loss_ce was')
        assert [text.startswith(start) for text, start in zip(found, starts)] == [True] * 5

    def test_without_a_reference_nothing_is_said(self):
        silent = {**self.record(60.0), 'reference': None}
        assert self.findings(silent) == self.findings(None)


@pytest.mark.parametrize('serious', [True, False])
def test_findings_on_images_stand_among_those_of_the_course(serious):
    val = validations(60.0, branch_0__mIoU_image=61.0, branch_1__mIoU_image=0.0)
    image = Finding(serious, 'pit is taken for background.')
    found = log_findings(log_of(val=val), RunContext(max_iters=9000), [image])
    assert found[0].text.startswith('Branch 1 is dead')
    assert found[1].text.startswith('The log ends')
    assert found.index(image) < len(found) - 1 if serious else found[-1] == image
    assert [finding.serious for finding in found[1:]] == sorted([one.serious for one in found[1:]], reverse=True)


def test_a_dead_branch_is_the_first_line():
    val = validations(60.0, branch_0__mIoU_image=61.0, branch_1__mIoU_image=0.0, branch_2__mIoU_image=60.0)
    first = log_findings(log_of(val=val))[0]
    assert first.serious
    assert first.text.startswith(
        'Branch 1 is dead: its mIoU_image at the last validation is 0.0, that of branch 0 61.0'
    )


def test_the_score_that_chose_the_best_checkpoint_is_named():
    val = [
        dict(step=1, mIoU_fg=70.0, mIoU=50.0),
        dict(step=2, mIoU_fg=60.0, mIoU=55.0),
        dict(step=3, mIoU_fg=60.0, mIoU=50.0),
    ]
    assert 'mIoU_fg 70.0 at iteration 1' in texts(log_findings(log_of(val=val)))
    assert 'mIoU 55.0 at iteration 2' in texts(log_findings(log_of(val=val), RunContext(decided_by='mIoU')))
