"""Logs as mmengine writes them: whole, resumed, crashed, with labels only."""

import json

import numpy as np
import pytest

from simeps_mmseg.utils import UserError
from simeps_mmseg.visualization.curves import HEALTH, LOSSES, VALIDATION, panels_of
from simeps_mmseg.visualization.curves_figure import curves_figure
from simeps_mmseg.visualization.training_log import join_parts, read_training_log, split_records

CLASSES = ('background', 'scratch', 'pit')


def semi_line(step):
    line = dict(lr=1e-3, loss=3.0 / step, consistency_weight=0.01, agreement=0.9, time=0.5)
    for k in range(3):
        line[f'branch_{k}.decode.loss_ce'] = (k + 1) / step
        line[f'labeled.loss_cross_pseudo_{k}'] = 0.1 / step
    line['unlabeled.loss_similarity_logits'] = 0.2
    for name in CLASSES:
        line[f'pseudo_share.{name}'], line[f'label_share.{name}'] = 0.25, 0.5
    return dict(**line, iter=step, step=step)


def plain_line(step):
    return dict(lr=1e-3, loss=1.0 / step, **{'decode.loss_ce': 1.0 / step}, iter=step, step=step)


def val_line(step, branches=3):
    line = dict(mIoU=50.0, mIoU_image=40.0, **{f'IoU.{name}': 30.0 for name in CLASSES})
    line.update({f'branch_{k}.mIoU_image': 35.0 + k for k in range(branches)})
    return dict(**line, time=0.1, step=step)


def write(folder, lines, end='', name=None):
    folder = folder / 'vis_data'
    folder.mkdir(parents=True)
    text = '\n'.join(json.dumps(line) for line in lines) + '\n' + end
    (folder / (name or f'{folder.parent.name}.json')).write_text(text)


class TestReading:
    def test_a_whole_run(self, tmp_path):
        write(tmp_path / '20260101_000000', [semi_line(50), val_line(50), semi_line(100), val_line(100)])
        log = read_training_log(tmp_path)
        assert [record['step'] for record in log.train] == [50, 100]
        assert [record['step'] for record in log.val] == [50, 100]
        assert (log.resumed, log.damaged, log.last_step) == ([], 0, 100)
        steps, values = log.series('branch_1.decode.loss_ce')
        assert steps.tolist() == [50, 100]
        assert values == pytest.approx([0.04, 0.02])
        assert [len(part) for part in log.series('nothing')] == [0, 0]
        assert 'mIoU' in log.scalars('val')
        assert 'step' not in log.scalars()

    def test_a_later_start_voids_what_it_repeats(self, tmp_path):
        # the first start got to 170 (logged 150), validated at 100 and 150, and left a checkpoint at 100
        first = [semi_line(50), semi_line(100), val_line(100), semi_line(150), val_line(150)]
        write(tmp_path / '20260101_000000', first)
        second = [{**semi_line(150), 'lr': 9.0}, {**val_line(150), 'mIoU': 60.0}, semi_line(200)]
        write(tmp_path / '20260102_000000', second)
        log = read_training_log(tmp_path)
        assert log.series('loss')[0].tolist() == [50, 100, 150, 200]
        assert log.series('lr')[1].tolist() == [1e-3, 1e-3, 9.0, 1e-3]
        assert log.series('mIoU', 'val')[1].tolist() == [50.0, 60.0]
        assert log.resumed == [150]

    def test_a_fresh_start_in_the_same_folder_voids_everything(self):
        old, new = [semi_line(50), semi_line(100)], [plain_line(50)]
        train, val, resumed = join_parts([(old, [val_line(100)]), ([], []), (new, [])])
        assert (train, val, resumed) == (new, [], [])

    def test_resumed_twice(self):
        parts = [([plain_line(s) for s in steps], []) for steps in ((10, 20, 30), (30, 40), (20, 30))]
        train, _, resumed = join_parts(parts)
        assert [record['step'] for record in train] == [10, 20, 30]
        assert resumed == [20]

    def test_a_crash_leaves_half_a_line(self, tmp_path):
        write(tmp_path / '20260101_000000', [semi_line(50)], end='{"lr": 0.001, "lo')
        log = read_training_log(tmp_path)
        assert (len(log.train), log.damaged) == (1, 1)

    def test_not_a_number_is_kept_as_such(self, tmp_path):
        write(tmp_path / '20260101_000000', [{**plain_line(50), 'loss': float('nan')}, plain_line(100)])
        assert np.isnan(read_training_log(tmp_path).series('loss')[1][0])

    def test_another_training_in_the_same_scalars_file_is_not_read(self, tmp_path):
        folder = tmp_path / '20260101_000000'
        write(folder, [plain_line(50)])
        (folder / 'vis_data/scalars.json').write_text('\n'.join(map(json.dumps, [plain_line(50), semi_line(50)])))
        assert len(read_training_log(tmp_path).train) == 1

    def test_one_start_and_one_file(self, tmp_path):
        folder = tmp_path / '20260101_000000'
        write(folder, [plain_line(50)], name='scalars.json')
        write(tmp_path / '20260102_000000', [plain_line(100)])
        assert read_training_log(folder).last_step == 50
        assert read_training_log(folder / 'vis_data/scalars.json').last_step == 50
        assert read_training_log(tmp_path).last_step == 100

    def test_loops_that_count_epochs(self):
        records = [{**plain_line(7), 'epoch': 1}, dict(mIoU=1.0, step=1), {**plain_line(14), 'epoch': 2}]
        train, val = split_records([*records, dict(mIoU=2.0, step=2)])
        assert [record['step'] for record in val] == [7, 14]
        assert len(train) == 2

    def test_scores_with_the_prefix_of_an_evaluator(self):
        _, val = split_records([plain_line(7), {'parts/mIoU_fg': 1.0, 'parts/IoU.a/b': 2.0, 'step': 7}])
        assert val == [{'mIoU_fg': 1.0, 'IoU.a/b': 2.0, 'step': 7}]

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match='nowhere is not there'):
            read_training_log(tmp_path / 'nowhere')
        with pytest.raises(UserError, match=r'has no log: no .*LocalVisBackend'):
            read_training_log(tmp_path)
        write(tmp_path / '20260101_000000', [val_line(0)])
        with pytest.raises(
            UserError, match=r'no line of a training step \(20260101_000000/vis_data/20260101_000000.json'
        ):
            read_training_log(tmp_path)


class TestPanels:
    def panels(self, tmp_path, lines):
        write(tmp_path / '20260101_000000', lines)
        return {panel.title: panel for panel in panels_of(read_training_log(tmp_path))}

    def test_semi_supervised(self, tmp_path):
        panels = self.panels(tmp_path, [semi_line(50), semi_line(100), val_line(100)])
        assert list(panels) == [
            'loss',
            'decode.loss_ce',
            'labeled.loss_cross_pseudo',
            'unlabeled.loss_similarity_logits',
            'w(t) of the pseudo-labels',
            'learning rate',
            'agreement of the branches',
            'pixels of scratch',
            'pixels of pit',
            'mIoU_image',
            'mIoU',
            'IoU by class',
        ]
        ce = panels['decode.loss_ce']
        assert ce.section == LOSSES
        assert [curve.name for curve in ce.curves] == ['branch 0', 'branch 1', 'branch 2']
        assert ce.curves[2].values == pytest.approx([0.06, 0.03])
        pit = panels['pixels of pit']
        assert (pit.section, pit.unit) == (HEALTH, '%')
        shares = [(curve.name, curve.values[0], curve.reference) for curve in pit.curves]
        assert shares == [('pseudo-labels', 25.0, False), ('labels', 50.0, True)]
        score = panels['mIoU_image']
        assert score.section == VALIDATION
        assert {curve.name: curve.values[-1] for curve in score.curves} == {
            'model': 40,
            'branch 0': 35,
            'branch 1': 36,
            'branch 2': 37,
        }
        assert [curve.name for curve in panels['IoU by class'].curves] == list(CLASSES)

    def test_labels_only(self, tmp_path):
        panels = self.panels(tmp_path, [plain_line(50), val_line(50, branches=0)])
        assert list(panels) == ['loss', 'decode.loss_ce', 'learning rate', 'mIoU_image', 'mIoU', 'IoU by class']
        assert [curve.name for curve in panels['mIoU_image'].curves] == ['model']

    def test_a_crash_before_the_first_validation(self, tmp_path):
        assert not any(p.section == VALIDATION for p in self.panels(tmp_path, [semi_line(50)]).values())

    def test_logarithms_for_losses_that_fall_far(self, tmp_path):
        panels = self.panels(tmp_path, [plain_line(1), plain_line(50), {**plain_line(60), 'lr': 0.0}])
        assert panels['loss'].log_scale
        assert not panels['learning rate'].log_scale


class TestFigure:
    def test_one_run(self, tmp_path):
        write(tmp_path / '20260101_000000', [semi_line(50), semi_line(100), val_line(100)])
        write(tmp_path / '20260102_000000', [semi_line(150)])
        figure = curves_figure({'run': read_training_log(tmp_path)})
        figure.savefig(tmp_path / 'curves.pdf')
        titles = [axis.get_title() for axis in figure.axes]
        assert len(titles) == 12
        axis = figure.axes[titles.index('mIoU_image (%)')]
        assert [text.get_text() for text in axis.get_legend().get_texts()] == [
            'ensemble',
            'branch 0',
            'branch 1',
            'branch 2',
        ]
        assert axis.lines[0].get_marker() == 'o'  # one validation is a point, not a line of nothing
        assert [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ':'] == [150]
        assert len({axis.get_xlim() for axis in figure.axes}) == 1

    def test_several_runs(self, tmp_path):
        write(tmp_path / 'semi/20260101_000000', [semi_line(50), semi_line(100), val_line(100)])
        write(tmp_path / 'plain/20260101_000000', [plain_line(50), val_line(50, branches=0)])
        logs = {name: read_training_log(tmp_path / name) for name in ('semi', 'plain')}
        figure = curves_figure(logs)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ['semi', 'plain']
        axis = next(axis for axis in figure.axes if axis.get_title() == 'decode.loss_ce')
        assert axis.lines[0].get_ydata() == pytest.approx([0.04, 0.02])  # mean of the branches
        assert axis.lines[1].get_ydata() == pytest.approx([0.02])

    def test_no_runs(self):
        with pytest.raises(ValueError, match='at least one training log'):
            curves_figure({})
