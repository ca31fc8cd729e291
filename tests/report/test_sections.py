"""Sections of the report on whole parts and on validation scores."""

from pathlib import Path

import numpy as np
import pytest

from simeps_mmseg.evaluation import PartErrors
from simeps_mmseg.report import Chart, Table, Text
from simeps_mmseg.report.log_sections import curve_section
from simeps_mmseg.report.part_section import part_facts, part_findings, part_section
from simeps_mmseg.report.scored_images import ScoredImage, part_errors_of
from simeps_mmseg.report.validation_config import decided_by, smallest_region
from simeps_mmseg.report.validation_findings import deciding_score
from simeps_mmseg.visualization.curves import VALIDATION
from simeps_mmseg.visualization.training_log import TrainingLog

CLASSES = ('background', 'scratch', 'pit')
MODEL = PartErrors(20, defective=47, missed=3, good=116, rejected=5, showing=(30, 20), missed_showing=(1, 2))
BRANCH = PartErrors(20, defective=47, missed=6, good=116, rejected=0, showing=(30, 20), missed_showing=(2, 4))


def tables(section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


class TestParts:
    def test_both_errors_stand_in_words(self):
        section = part_section([MODEL, BRANCH], ['ensemble', 'branch 0'], CLASSES, [[MODEL], [BRANCH]])
        assert section.blocks[0].text.startswith(
            '3 of 47 defective parts missed, 5 of 116 good parts rejected (regions of at least 20 pixels count). A part'
        )
        deciders, by_class, trade, of_branch = tables(section)
        assert deciders.rows == [
            ['ensemble', '3 of 47 (6.4 %)', '5 of 116 (4.3 %)'],
            ['branch 0', '6 of 47 (12.8 %)', '0 of 116 (0.0 %)'],
        ]
        assert by_class.rows == [['scratch', '1 of 30 (3.3 %)'], ['pit', '2 of 20 (10.0 %)']]
        assert trade.rows == [['20 px', '3 of 47 (6.4 %)', '5 of 116 (4.3 %)']]
        assert of_branch.rows == [['20 px', '6 of 47 (12.8 %)', '0 of 116 (0.0 %)']]
        assert of_branch.caption == 'How the two errors trade: branch 0.'
        assert part_facts(MODEL) == [
            ('Defective parts missed', '3 of 47 (6.4 %)'),
            ('Good parts rejected', '5 of 116 (4.3 %)'),
        ]

    def test_a_class_that_is_missed_on_every_part_is_serious(self):
        assert not list(part_findings(MODEL, CLASSES))
        (found,) = part_findings(MODEL._replace(missed_showing=(1, 20)), CLASSES)
        assert found == (True, 'All 20 parts that show pit are missed: nothing on them is called a defect.')

    def test_without_good_parts_nothing_is_known_of_rejections(self):
        (found,) = part_findings(MODEL._replace(good=0, rejected=0), CLASSES)
        assert not found.serious
        assert found.text.startswith('No image is without a defect')

    def test_errors_come_from_the_scored_images(self):
        # Two images of 10 pixels: the first with a defect of 4, the second without; the model, then a branch.
        matrices = np.array([[[[6, 0], [4, 0]], [[6, 0], [1, 3]]], [[[8, 2], [0, 0]], [[10, 0], [0, 0]]]])
        largest = np.array([[0, 3], [2, 0]])
        scored = [ScoredImage(k, matrices[k], 0.0, largest[k]) for k in range(2)]
        one, five = part_errors_of(scored, 0, [1, 5])
        assert (one.missed, one.defective, one.rejected, one.good) == (1, 1, 1, 1)
        assert (five.missed, five.rejected) == (1, 0)
        (branch,) = part_errors_of(scored, 1, [1])
        assert (branch.missed, branch.rejected) == (0, 0)


def log_of(*validations) -> TrainingLog:
    lines = [dict(step=k + 1, **scores) for k, scores in enumerate(validations)]
    return TrainingLog(Path('log.json'), [dict(step=9, loss=1.0)], lines)


SCORES = dict(mIoU=60.0, mIoU_image=40.0, mIoU_fg=50.0, missed=10.0, false_alarms=25.0)
COUNTS = dict(defective_images=40, defect_free_images=8)


class TestValidationScores:
    @pytest.mark.parametrize(
        ('chosen', 'order'),
        [
            (None, ['mIoU_fg', 'mIoU_image', 'mIoU', 'missed', 'false_alarms']),
            ('mIoU', ['mIoU', 'mIoU_fg', 'mIoU_image', 'missed', 'false_alarms']),
        ],
    )
    def test_the_score_that_decides_is_first(self, chosen, order):
        section = curve_section('Scores', log_of(SCORES), VALIDATION, chosen)
        assert list(tables(section)[0].head) == ['per cent', *order]
        titles = [block.title for block in section.blocks if isinstance(block, Chart)]
        assert titles == [f'{score} (%)' for score in order]

    def test_of_errors_the_least_is_the_best(self):
        section = curve_section('Scores', log_of(SCORES, {**SCORES, 'mIoU_fg': 45.0, 'missed': 30.0}), VALIDATION)
        last, best = tables(section)[0].rows
        assert last == ['last validation', '45.00', '40.00', '60.00', '30.00', '25.00']
        assert best == ['best of each column', '50.00', '40.00', '60.00', '10.00', '25.00']

    def test_errors_about_parts_are_a_sentence(self):
        section = curve_section('Scores', log_of({**SCORES, **COUNTS}), VALIDATION)
        (text,) = (block.text for block in section.blocks if isinstance(block, Text))
        assert text == (
            'The last validation: On 4 of 40 images with a defect nothing was called one (missed). On 2 of 8 images without '
            'a defect something was called one (false_alarms).'
        )

    def test_without_good_images_there_is_no_curve_of_false_alarms(self):
        scores = {**SCORES, **COUNTS, 'defect_free_images': 0, 'false_alarms': float('nan')}
        section = curve_section('Scores', log_of(scores), VALIDATION)
        assert not any(isinstance(block, Chart) and 'false_alarms' in block.title for block in section.blocks)
        (text,) = (block.text for block in section.blocks if isinstance(block, Text))
        assert text.endswith('No image is without a defect, so false_alarms is not known.')

    def test_a_log_that_counts_no_parts_is_readable(self):
        section = curve_section('Scores', log_of(dict(mIoU=60.0)), VALIDATION)
        assert tables(section)[0].rows[0] == ['last validation', '60.00']
        assert not any(isinstance(block, Text) for block in section.blocks)

    def test_an_error_is_not_taken_for_a_score(self):
        assert deciding_score(log_of(SCORES), 'missed') == 'mIoU_fg'
        assert deciding_score(log_of(SCORES), 'mIoU') == 'mIoU'


class TestConfig:
    @pytest.mark.parametrize(
        ('evaluator', 'area'),
        [
            (dict(type='DefectIoUMetric', min_area=30), 30),
            ([dict(type='IoUMetric'), dict(type='DefectIoUMetric', min_area=7)], 7),
            (dict(type='DefectIoUMetric'), 1),
            (None, 1),
        ],
    )
    def test_the_smallest_region_is_that_of_the_metric(self, evaluator, area):
        assert smallest_region(dict(val_evaluator=evaluator), 'val') == area

    @pytest.mark.parametrize(
        ('save_best', 'score'), [('mIoU_fg', 'mIoU_fg'), (['mIoU', 'x'], 'mIoU'), ('auto', None), (None, None)]
    )
    def test_the_score_that_decides_is_that_of_the_checkpoint_hook(self, save_best, score):
        assert decided_by(dict(default_hooks=dict(checkpoint=dict(save_best=save_best)))) == score
