"""The page and its figure, from made-up lines and from those of both versions of compare.py."""

import json

import pytest

from benchmarks import results, results_page
from benchmarks.protocols import PROTOCOLS, expand
from tests.benchmarks.warm_lines import seed
from tests.conftest import ROOT

PUBLISHED = results_page.load_published()
OLD = json.dumps(
    dict(
        run=dict(method='supervised', model='unet', dataset='neu', percent=10, seed=0, split_seed=0, iters=1500, size=128,
                 batch=8, flips=False, options=[]),
        val=dict(mIoU=74.1, mIoU_image=66.22),
        test={'mIoU': 74.7, 'mIoU_fg': 67.7, 'mIoU_image': 68.9, 'IoU.patches': 79.25},
        parameters=1812308, labeled=308, labeled_checksum='c2a3974ef811', images_per_step=8, seconds_per_step=0.5142,
        peak_memory_mib=879, device='x86_64, 2 threads', versions={},
    )
)  # fmt: skip


def line(method, score, seed=0, percent=10, protocol='small', branches=0, no_grad=0, **changes):
    run = next(expand(PROTOCOLS[protocol], [method], ['neu'], [percent], [seed]))
    test = {'mIoU_image': score, 'mIoU_fg': score - 1, 'IoU.patches': score + 5}
    test |= {f'branch_{k}.{key}': test[key] - 2 for k in range(branches) for key in ('mIoU_image', 'mIoU_fg')}
    return results.normalized(
        dict(
            run={**run, **changes},
            labeled=308,
            labeled_checksum=f'sum{percent}',
            images_per_step=dict(grad=8, no_grad=no_grad),
            images_seen=dict(labeled=16000, unlabeled=0),
            last=dict(iter=2000, val={}, test=test),
            best=dict(iter=1500, val={}, test={**test, 'mIoU_image': score + 0.5}),
            device='a device',
            precision='float32',
        )
    )


def row_of(text, start):
    return next(row for row in text.splitlines() if row.startswith(start))


def test_cells_are_mean_spread_and_count_beside_the_published():
    lines = [line('supervised', 70.0), line('supervised', 72.0, seed=1), line('supervised', 60.0, percent=1)]
    text = results_page.page([*lines, line('simeps', 75.0)], PUBLISHED)
    assert (
        row_of(text, '| method |')
        == '| method | images forwarded per step | 1 % | 1 %, published | 10 % | 10 %, published |'
    )
    assert row_of(text, '| labels only |') == '| labels only | 8 | 60.0 (1) | ~64 | 71.0 ± 1.4 (2) | ~72.9 |'
    assert row_of(text, '| simEps |') == '| simEps | 8 | - | 70.4 | 75.0 (1) | 75.94 |'
    assert row_of(text, '| ProMSC') == '| ProMSC (published only) | - | - | - | - | 77.65 |'
    assert '4 runs of networks' in text
    assert '128 x 128 pixels, 8 labelled images' in text


def test_differences_are_of_runs_with_the_same_seed():
    lines = [line('supervised', 60.0 + 5 * seed, seed) for seed in range(3)]
    lines += [line('simeps', 62.0 + 6 * seed, seed) for seed in range(3)] + [
        line('cps', 90.0),
        line('uaps', 9.0, seed=7),
    ]
    text = results_page.page(lines, PUBLISHED)
    compared = text.split('### Against labels only')[1].split('###')[0]
    assert '| simEps | as many labels | +3.0 ± 1.0 (3) |' in compared
    assert '| CPS | as many labels | +30.0 (1) |' in compared
    assert 'UAPS' not in compared
    assert 'all labels' not in compared
    assert '### Against labels only' not in results_page.page(lines[:3], PUBLISHED)


def test_few_labels_are_held_against_all_of_them():
    lines = [line('supervised', 70.0 + seed, seed, percent=100) for seed in range(2)]
    lines += [
        line(method, score, seed) for method, score in (('supervised', 60.0), ('simeps', 68.0)) for seed in range(2)
    ]
    compared = results_page.page(lines, PUBLISHED).split('### Against labels only')[1].split('###')[0]
    rows = [row for row in compared.splitlines() if row.startswith(('| labels', '| simEps'))]
    assert rows == [
        '| labels only | all labels | -10.5 ± 0.7 (2) | - |',
        '| simEps | as many labels | +8.0 ± 0.0 (2) | - |',
        '| simEps | all labels | -2.5 ± 0.7 (2) | - |',
    ]


def test_protocols_networks_and_options_are_kept_apart():
    lines = [line('simeps', 70.0), line('simeps', 50.0, protocol='tiny'), line('simeps', 60.0, options=['a.b=1'])]
    text = results_page.page([*lines, line('simeps', 80.0, model='deeplabv3plus')], PUBLISHED)
    assert text.count('\n## NEU-Seg') == 3
    assert '| simEps, `a.b=1` | 8 |' not in text  # beside the method itself they have a table of their own
    assert '| simEps, `a.b=1` | 8 | 60.0 (1) | - |' in results_page.page(
        [line('simeps', 60.0, options=['a.b=1'])], PUBLISHED
    )
    assert '| simEps | 8 | 80.0 (1) | ~75 |' in text


def test_a_change_of_a_method_is_compared_with_the_method_seed_by_seed():
    lines = [line('simeps', 70.0 + seed, seed) for seed in range(2)] + [line('cps', 50.0)]
    lines += [line('simeps', 68.0 + 3 * seed, seed, options=['a.b=1']) for seed in range(2)]
    lines += [line('simeps', 71.5, options=['c=2']), line('simeps', 9.0, percent=1, options=['c=2'])]
    text = results_page.page(lines, PUBLISHED)
    changes = text.split('### What a change of a method brings')[1].split('###')[0]
    assert '| 10 % | simEps, `a.b=1` | 69.5 ± 2.1 (2) | -1.0 ± 1.4 (2) | -1.0 ± 1.4 (2) |' in changes
    assert '| 10 % | simEps, `c=2` | 71.5 (1) | +1.5 (1) | +1.5 (1) |' in changes
    assert '| 1 % | simEps, `c=2` | 9.0 (1) | - | - |' in changes
    assert 'CPS' not in changes
    assert '### What a change' not in results_page.page(lines[:3], PUBLISHED)


def test_classes_that_the_pseudo_labels_lost_are_seen():
    lines = [
        line('cps', 50.0, seed) | dict(pseudo_labels={'9': {'pit': 1.0}, '10': {'pit': 0.1 * seed}}) for seed in (0, 1)
    ]
    text = results_page.page([*lines, line('supervised', 60.0) | dict(pseudo_labels={'10': {}})], PUBLISHED)
    table = text.split('### Pseudo-labels of each class')[1].split('###')[0]
    assert '| labels | method | pit |' in table
    assert '| 10 % | CPS | 0.05 ± 0.07 (2) |' in table
    assert 'labels only' not in table
    assert '### Pseudo-labels' not in results_page.page([line('cps', 50.0)], PUBLISHED)


def test_machines_and_precisions_are_named_by_percentage_where_they_differ():
    lines = [line('supervised', 60.0), line('supervised', 50.0, percent=1), line('supervised', 70.0, percent=100)]
    assert results_page.devices_text(lines) == 'a device (float32)'
    other = lines[1] | dict(precision='bfloat16')
    text = results_page.devices_text([lines[0], other, lines[2]])
    assert text == 'a device (bfloat16) for 1 %; a device (float32) for 10 % and 100 %'


def test_branches_best_weights_and_passes_without_gradient_have_their_tables():
    text = results_page.page([line('simeps', 70.0, branches=3), line('mean_teacher', 68.0, no_grad=8)], PUBLISHED)
    assert '| simEps | 8 | 70.0 (1) | 75.94 |' in text
    assert '| simEps, one network alone | - | 68.0 (1) | - |' in text
    assert '| simEps, one network alone | - | 67.0 (1) |' in text.split('### Data-set foreground IoU')[1]
    assert 'Mean Teacher, one network' not in text
    assert '| 10 % | Mean Teacher | 68.0 (1) | 68.5 (1) | 1,500 |' in text
    assert '| Mean Teacher | 8 + 8 without gradient |' in text


def test_lines_of_the_first_version_are_read_as_the_last_step(tmp_path):
    file = tmp_path / 'old.jsonl'
    file.write_text(
        f'{OLD}\n\n{json.dumps(line("simeps", 70.0, protocol="short", percent=10) | dict(labeled_checksum=None))}\n'
    )
    lines = results.read([file, tmp_path / 'not_there.jsonl'])
    assert lines[0]['last'] == dict(iter=1500, val=json.loads(OLD)['val'], test=json.loads(OLD)['test'])
    assert lines[0]['best'] is None
    text = results_page.page(lines, PUBLISHED)
    assert 'protocol short' in text
    assert '| labels only | 8 | 68.9 (1) | ~72.9 |' in text
    assert '| labels only | 1.8 M | - | 8 | 0.514 s |' in text


def test_of_a_run_that_was_made_twice_the_later_line_counts(tmp_path):
    file = tmp_path / 'some.jsonl'
    for score in (60.0, 65.0):
        results.append(file, line('supervised', score))
    assert [one['last']['test']['mIoU_image'] for one in results.read([file])] == [65.0]


@pytest.mark.parametrize('text', ['{"run": ', '{"seconds": 3}', '[1]'])
def test_a_line_of_something_else_is_named(tmp_path, text):
    file = tmp_path / 'some.jsonl'
    file.write_text(f'{OLD}\n{text}\n')
    with pytest.raises(ValueError, match=r'some.jsonl, line 2: not a line of compare.py'):
        results.read([file])


def test_runs_on_other_labels_are_not_compared():
    other = line('simeps', 70.0) | dict(labeled_checksum='other')
    with pytest.raises(ValueError, match='are other images'):
        results_page.page([line('supervised', 70.0), other], PUBLISHED)


def test_undefined_scores_are_left_out_of_the_mean():
    assert results_page.spread([None, 70.0]) == '70.0 (1)'
    assert results_page.spread([]) == '-'


def test_options_that_are_gone_are_said_to_be():
    options = [['model.snapshot.type=Snapshot'], ['model.cross_pseudo.loss_weight=1.0']]
    text = results_page.page([line('simeps', 70.0), *(line('simeps', 71.0, options=own) for own in options)], PUBLISHED)
    assert 'simEps, `model.snapshot.type=Snapshot` (of an earlier config) |' in text
    assert 'simEps, `model.cross_pseudo.loss_weight=1.0` |' in text


def test_no_results_make_a_page_too():
    text = results_page.page([], PUBLISHED, notes='## What did not work\n\nNothing yet.\n')
    assert '## From nothing' not in text
    assert text.endswith('Nothing yet.\n')


def test_the_figure_has_a_line_with_error_bars_per_method_and_panel(tmp_path):
    lines = [
        line(m, s + p, seed, p) for m, s in (('supervised', 60), ('simeps', 65)) for p in (1, 5, 10) for seed in (0, 1)
    ]
    lines += [line(m, 50.0, percent=p, protocol='tiny') for m in ('cps', 'supervised') for p in (1, 5, 10)]
    lines += [line('simeps', 1.0, options=['a=1']), line('cps', 2.0, iters=7)]
    lines += [line(m, 3.0, percent=p, protocol='paper') for m in ('cps', 'supervised') for p in (1, 10)]  # two points
    assert results_page.curves(lines[:6]) == dict(supervised=[(1, 61.0, 0.0), (5, 65.0, 0.0), (10, 70.0, 0.0)])
    figure = results_page.label_curve(lines)
    assert [len(axes.containers) for axes in figure.axes] == [2, 2]
    assert figure.axes[0].get_xscale() == 'log'
    assert len({marker for _, marker in results_page.STYLES}) == len(results_page.STYLES) >= len(results.NAMES)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['labels only', 'CPS', 'simEps']
    results_page.write_figure(lines, tmp_path / 'deep/curve.png')
    assert (tmp_path / 'deep/curve.png').stat().st_size > 1000
    results_page.write_figure([], tmp_path / 'none.png')
    assert not (tmp_path / 'none.png').exists()


def test_every_published_row_has_a_source_and_percentages():
    for row in PUBLISHED['rows']:
        assert row['source'] in PUBLISHED['sources']
        assert all(0 < float(percent) <= 100 and 0 < number < 100 for percent, number in row['values'].items())


def test_the_page_in_docs_is_that_of_the_results():
    lines = results_page.started_from_nothing(results.shipped())
    parts = results_page.notes(), results_page.figure_link(), results_page.warm_start()
    expected = results_page.page(lines, PUBLISHED, *parts)
    page = ROOT / 'docs/results.md'
    assert page.read_text() == expected, 'run python benchmarks/results_page.py'
    assert results_page.FIGURE.is_file()


def test_networks_on_labels_stand_by_the_number_of_labels_beside_the_published():
    lines = [*seed(0, 60.0, 62.0, 65.0), *seed(1, 60.0, 59.0, 64.0), *seed(0, 40.0, 40.0, 45.0, 'masonry')]
    rows = results_page.by_labels(lines, PUBLISHED).splitlines()
    assert rows[2] == '| 31 (1 %) | 62.0 ± 1.4 (2) | 62.5 ± 0.7 (2) | 0.5 ± 0.7 (2) | ~64 | 70.4 |'
    assert rows[3] == ''
