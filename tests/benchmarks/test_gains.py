import inspect

import mmseg
import pytest

from benchmarks import results
from benchmarks.gains import (
    BEGIN,
    GUIDE,
    METHOD,
    NO_RENORM,
    PAGE,
    README,
    RENORM,
    RESEARCH,
    RIVALS,
    SAID,
    WARM,
    WITHOUT_RENORM,
    advice,
    cases,
    comparisons,
    guide,
    markdown,
    mean_gains,
    methods_table,
    row_of_each_case,
    said,
    short_table,
    verdict,
)
from benchmarks.gains_figure import gains_figure, write_figure
from benchmarks.one_run import config_hash, experiment
from benchmarks.protocols import PROTOCOLS, expand, identity, name_of, protocol_of, starts_of
from benchmarks.warm_changes import LINES
from simeps_mmseg.apis import make_semi
from tests.benchmarks.warm_lines import line, seed


def test_a_gain_is_one_over_the_better_of_the_two():
    lines = [*seed(0, plateau=50.0, longer=52.0, semi=55.0), *seed(1, plateau=51.0, longer=49.0, semi=50.5)]
    ((_, seeds),) = comparisons(lines, 'simeps_plus').items()
    assert [one.gain('mIoU_fg') for one in seeds] == [1.0, -2.5]  # of one branch
    table = markdown(lines)
    assert table.splitlines()[-1] == (
        '| NEU-Seg, steel | 31 (1 %) | 3,000; 600 | 2 | 50.5 ± 0.7 | 50.5 ± 2.1 | 52.8 ± 3.2 | 50.8 ± 3.2 | -0.8 ± 2.5 |'
    )


def test_a_plateau_that_is_none_is_marked():
    lines = [*seed(0, 50.0, 52.0, 55.0), *seed(1, 50.0, 52.0, 55.0)]
    for start, late in ((lines[0], 53.0), (lines[3], 54.5)):  # by 3 and 4.5 points in 1,000 steps
        start['validations'] = {'1000': 40.0, '2000': 50.0, '3000': late}
    assert '| 3,000, still rising; 600 |' in markdown(lines)
    assert list(verdict(lines))[-1].endswith('0 of 2 runs')
    assert len(list(verdict(lines))) == 1, 'a network that still learned is no case'
    lines[3]['validations']['3000'] = 52.9
    assert '| 3,000; 600 |' in markdown(lines)
    assert next(verdict(lines)).endswith('of 1 cases')


def test_a_start_that_was_trained_anew_is_no_pair():
    lines = seed(0, 50.0, 52.0, 55.0)
    lines[2]['validations'] = {'0': 50.0, '600': 54.0}
    assert comparisons(lines, METHOD)
    lines[0]['validations']['3000'] = 50.1
    with pytest.raises(ValueError, match=r'simeps_plus_.* began at 50.0, and its start is another network'):
        comparisons(lines, METHOD)


def test_what_was_held_out_is_so_at_the_first_look():
    lines = [*seed(0, 50.0, 50.0, 55.0, 'welds'), *seed(0, 40.0, 40.0, 39.0, 'ceramic_cracks')]
    assert [row.split(' | ')[0] for row in markdown(lines).splitlines()[2:]] == [
        '| weld seams (held out)',
        '| cracks in ceramics (second look)',
    ]
    assert 'held out, foreground IoU: +3.0 (weld seams)' in list(verdict(lines))


def test_a_seed_counts_only_with_all_three_runs():
    assert comparisons(seed(0, 50.0, 52.0, 55.0)[:2], 'simeps_plus') == {}
    assert comparisons(seed(0, 50.0, 52.0, 55.0)[1:], 'simeps_plus') == {}
    assert comparisons(seed(0, 50.0, 52.0, 55.0), 'cps') == {}


def test_a_table_without_runs_says_so():
    assert markdown([]).splitlines()[-1] == '| not yet measured | | | | | | | | |'


def test_the_verdict_names_the_worst_set():
    lines = [*seed(0, 50.0, 50.0, 55.0), *seed(0, 40.0, 40.0, 39.0, 'masonry'), *seed(0, 30.0, 30.0, 32.0, 'synthetic')]
    assert next(verdict(lines)) == (
        'foreground IoU: median gain +0.0, worst -3.0 (masonry, brick walls, 1 %), of 3 cases'
    )


def test_the_guide_has_a_row_by_number_of_labels():
    lines = [*seed(0, 50.0, 50.0, 55.0), *seed(0, 40.0, 40.0, 39.0, 'masonry'), *seed(0, 30.0, 30.0, 32.0, 'synthetic')]
    for one in lines[6:]:
        one['labeled'] = 51
    assert guide(lines).splitlines()[2:] == [
        '| up to 50 | not yet known: 2 cases | 2 | +0.0 | -3.0 | +3.0 |',
        '| 51 to 200 | not yet known: 1 case | 1 | +0.0 | +0.0 | +0.0 |',
        '| more than 200 | not yet measured | 0 | | | |',
    ]


@pytest.mark.parametrize(
    ('gains', 'taken'),
    [([1.0, 2.0, 3.0], '`simeps_plus`'), ([-1.0, -2.0, -3.0], 'labels only'), ([1.0, 2.0, -1.0], 'no difference seen')],
)
def test_the_guide_takes_what_two_standard_errors_tell_apart(gains, taken):
    assert advice(gains) == taken


def test_make_semi_takes_what_the_guide_recommends_for_few_labels():
    few = guide(results.read([WARM])).splitlines()[2]
    assert few.split(' | ')[1] == f'`{inspect.signature(make_semi).parameters["method"].default}`'


def test_a_run_whose_last_weights_lost_a_class_or_half_of_the_score_collapsed():
    lines = [one for number in range(4) for one in seed(number, 50.0, 50.0, 55.0)]
    for one in lines:
        one['best']['test'] |= {'IoU.crack': 30.0, 'IoU.never': 0.0, 'IoU.absent': None}
        one['last'] = dict(test={**one['best']['test'], 'mIoU_fg': 26.0})
    del lines[1]  # whether labels only went on does not matter
    assert list(verdict(lines))[-1].endswith('0 of 4 runs')
    lines[1]['last']['test']['mIoU_fg'] = 24.0
    lines[4]['last']['test']['IoU.crack'] = None
    lines[7]['last']['test']['branch_1.mIoU_fg'] = 0.0
    assert list(verdict(lines))[-1].endswith('3 of 4 runs')
    lines[10]['validations']['200'] = 24.0  # and the guard stepped back
    assert list(verdict(lines))[-1].endswith('4 of 4 runs')


def test_of_two_starts_the_one_trained_for_longer_counts():
    lines = [*seed(0, 50.0, 50.0, 55.0), *seed(0, 60.0, 60.0, 61.0, start=9000)]
    assert [row.split(' | ')[2] for row in markdown(lines).splitlines()[2:]] == ['3,000; 600', '9,000; 600']
    assert next(verdict(lines)).startswith('foreground IoU: median gain -1.0')
    assert short_table(lines).splitlines()[2:] == [
        '| NEU-Seg, steel, the least of all 1 | 31 (1 %) | 1 | 60.0 | 59.0 | -1.0 |'
    ]


def test_the_short_table_names_the_middle_and_the_least():
    lines = [*seed(0, 50.0, 50.0, 55.0), *seed(0, 40.0, 40.0, 39.0, 'masonry'), *seed(0, 30.0, 30.0, 32.0, 'synthetic')]
    assert short_table(lines).splitlines()[2:] == [
        '| NEU-Seg, steel | 31 (1 %) | 1 | 50.0 | 53.0 | 3.0 |',
        '| generated surfaces, the middle of all 3 | 31 (1 %) | 1 | 30.0 | 30.0 | 0.0 |',
        '| masonry, brick walls, the least of all 3 | 31 (1 %) | 1 | 40.0 | 37.0 | -3.0 |',
    ]


def test_tables_without_runs_say_so():
    assert short_table([]).splitlines()[2:] == ['| not yet measured | | | | | |']
    assert 'not yet measured' in markdown([])


def test_a_set_that_is_shown_anyway_has_one_row():
    lines = [*seed(0, 50.0, 50.0, 51.0), *seed(0, 40.0, 40.0, 45.0, 'masonry'), *seed(0, 30.0, 30.0, 32.0, 'synthetic')]
    assert [row.split(' | ')[0] for row in short_table(lines).splitlines()[2:]] == [
        '| NEU-Seg, steel, the least of all 3',
        '| generated surfaces, the middle of all 3',
    ]


def test_other_methods_stand_beside_it_and_the_recipe_before():
    rival = line('fixmatch', 600, 3000, 53.0, 54.0, 0)
    lines = [*seed(0, 50.0, 52.0, 55.0), *seed(1, 50.0, 50.0, 50.0), *seed(0, 40.0, 40.0, 45.0, 'masonry'), rival]
    assert methods_table(lines).splitlines() == [
        '| | NEU-Seg, steel, 1 %: 3,000; 600; seeds 0 to 2 |',
        '|---|---|',
        '| FixMatch | 1.0 (1) |',
        '| simEps-plus | -0.5 ± 2.1 (2) |',
    ]
    before = seed(1, 50.0, 52.0, 55.0)[-1]
    before['run']['options'] = list(NO_RENORM)
    assert methods_table([*lines, before]).splitlines()[3:5] == [
        '| simEps-plus | -0.5 ± 2.1 (2) |',
        '| simEps-plus, without batch renormalization | 3.0 (1) |',
    ]
    other = [*seed(3, 50.0, 50.0, 58.0), line('fixmatch', 600, 3000, 53.0, 54.0, 3)]
    other[-1]['run']['options'] = list(RENORM)
    assert methods_table([*lines, *other]).splitlines()[2:] == [
        '| FixMatch | 1.0 (1) |  |',
        '| FixMatch, with batch renormalization |  | 3.0 (1) |',
        '| simEps-plus | -0.5 ± 2.1 (2) | 6.0 (1) |',
    ]
    assert methods_table(lines[:-1]) == 'Not yet measured.\n'


def test_more_steps_of_the_method_come_before_more_steps_on_labels():
    lines = [*seed(0, 50.0, 50.0, 55.0, start=9000), *seed(0, 50.0, 50.0, 54.0, start=4500, iters=1200)]
    assert [(place.start, place.iters) for place in row_of_each_case(comparisons(lines, METHOD))] == [(4500, 1200)]
    lines += seed(1, 50.0, 50.0, 55.0, start=9000)  # more seeds come before both
    assert [(place.start, place.iters) for place in row_of_each_case(comparisons(lines, METHOD))] == [(9000, 600)]


def test_another_network_is_a_case_of_its_own():
    lines, other = seed(0, 50.0, 50.0, 55.0), seed(0, 40.0, 40.0, 44.0)
    for one in other:
        one['run']['model'] = 'efficientnet_lite0'
    rows = [row.split(' | ')[0] for row in markdown([*lines, *other]).splitlines()[2:]]
    assert rows == ['| NEU-Seg, steel, EfficientNet-Lite0 from ImageNet', '| NEU-Seg, steel']
    assert list(mean_gains(cases([*lines, *other], METHOD), 'mIoU_fg').values()) == [2.0, 3.0]


def test_the_figure_has_a_line_for_each_seed_from_the_better_of_labels_only_to_one_branch(tmp_path):
    lines = [*seed(0, 50.0, 52.0, 55.0), *seed(1, 50.0, 49.0, 50.0), *seed(0, 40.0, 40.0, 45.0, 'masonry')]
    found = row_of_each_case(comparisons(lines, METHOD))
    (axes,) = gains_figure(found).axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[52.0, 53.0], [50.0, 48.0], [40.0, 43.0]]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        'NEU-Seg, steel, 31 labels',
        'masonry, brick walls, 31 labels',
    ]
    write_figure(found, tmp_path / 'deep/gains.png')
    assert (tmp_path / 'deep/gains.png').stat().st_size > 1000


def test_a_change_of_the_recipe_has_rows_of_its_own():
    lines = [*seed(0, 50.0, 52.0, 55.0), seed(0, 50.0, 52.0, 58.0)[-1]]
    lines[-1]['run']['options'] = list(NO_RENORM)
    assert '| 1 | 50.0 | 52.0 | 58.0 | 56.0 | 4.0 |' in markdown(lines, options=NO_RENORM)
    assert markdown(lines) == markdown(lines[:-1])
    assert markdown(lines[:-1], options=NO_RENORM) == markdown([])


def test_the_pages_hold_the_tables_of_the_results():
    lines = results.read([WARM])
    assert BEGIN + markdown(lines) in PAGE.read_text()
    assert SAID + said(lines) in PAGE.read_text()
    assert GUIDE + guide(lines) in PAGE.read_text()
    assert WITHOUT_RENORM + markdown(lines, options=NO_RENORM) in RESEARCH.read_text()
    assert RIVALS + methods_table(lines) in PAGE.read_text()
    assert short_table(lines) in README.read_text()


@pytest.mark.parametrize('file', [WARM, LINES], ids=lambda file: file.stem)
def test_the_page_holds_runs_of_the_configs_as_they_are(file):
    """Whoever changes a config or a recipe repeats its runs."""
    lines = results.read([file])
    if not lines:
        pytest.skip('no run of the recipe as it is')
    same_base = [line for line in lines if line['versions']['mmseg'] == mmseg.__version__]
    if not same_base:
        pytest.skip(
            f"the runs were made with another MMSegmentation, whose base configs may differ from {mmseg.__version__}'s"
        )
    other = [name_of(line['run']) for line in same_base if line['config_hash'] != config_hash(experiment(line['run']))]
    assert not other, f'trained with a config that is not there any more: {other}'


class TestStart:
    def test_methods_start_from_the_network_on_labels_of_their_seed(self):
        run, longer = expand(PROTOCOLS['warm'], ['cps', 'supervised'], ['neu'], [1], seeds=[2])
        assert (run['start'], longer['start']) == (3000, 3000)
        assert starts_of(run) == starts_of(longer) == [identity({**longer, 'iters': 3000, 'start': 0})]
        assert name_of(run) != name_of({**run, 'start': 0})

    def test_several_starts_are_those_of_the_next_seeds(self):
        (run,) = expand(dict(PROTOCOLS['warm'], starts=3), ['simeps_plus'], ['neu'], [1], seeds=[2])
        (one,) = expand(PROTOCOLS['warm'], ['simeps_plus'], ['neu'], [1], seeds=[2])
        assert [start['seed'] for start in starts_of(run)] == [2, 3, 4]
        assert starts_of(run)[:1] == starts_of(one)
        assert name_of(run) != name_of(one) == name_of({**one, 'starts': 1})
        assert protocol_of(run) == '96x96, 4 per step, 1200 steps, flips, from 3 networks of 3000 steps on labels'

    @pytest.mark.parametrize('name', PROTOCOLS)
    def test_a_protocol_is_known_by_its_name(self, name):
        (run,) = expand(PROTOCOLS[name], ['simeps'], ['neu'], [1], seeds=[0])
        assert protocol_of(run) == name

    def test_a_start_is_part_of_a_protocol_without_a_name(self):
        assert protocol_of(dict(iters=5, size=96, batch=4, start=7)) == (
            '96x96, 4 per step, 5 steps, flips, from 7 steps on labels'
        )
