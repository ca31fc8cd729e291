"""The recipe with a change, or from several networks on labels, beside the recipe as it is."""

from benchmarks.gains import PAGE, WARM, markdown
from benchmarks.results import read
from benchmarks.warm_changes import CHANGES, LINES, NONE, RESEARCH, STARTS, changes_table, looks_table, starts_table
from tests.benchmarks.warm_lines import line, seed


def test_a_change_stands_beside_the_recipe_seed_by_seed():
    lines = [*seed(0, 50.0, 50.0, 55.0), *seed(1, 50.0, 50.0, 56.0)]
    changed = [seed(number, 50.0, 50.0, score)[-1] for number, score in ((0, 54.0), (1, 56.0), (2, 99.0))]
    for one in changed:
        one['run']['options'] = ['model.similarity=None']
    assert changes_table([*lines, *changed]).splitlines()[2:] == [
        '| NEU-Seg, steel, 1 % | 3,000; 600 | `model.similarity=None` |  | 2 | 55.5 ± 0.7 | 55.0 ± 1.4 | -0.5 ± 0.7 '
        '| 53.5 ± 0.7 | 53.0 ± 1.4 | -0.5 ± 0.7 |'
    ]
    assert markdown([*lines, *changed]) == markdown(lines)
    of_a_changed_recipe = [seed(0, 50.0, 50.0, 52.0)[-1]]
    of_a_changed_recipe[0]['run']['options'] = ['model.similarity=None', 'model.batch_renorm=False']
    rows = changes_table([*lines, changed[0], *of_a_changed_recipe]).splitlines()[3:]
    assert '| `model.similarity=None model.batch_renorm=False` |  | 1 | 55.0 | 52.0 | -3.0 |' in rows[0]
    assert '| `model.batch_renorm=False` | `model.similarity=None` | 1 | 54.0 | 52.0 | -2.0 |' in rows[1]
    assert changes_table(lines) == changes_table(lines, changed) == NONE
    changed[1]['precision'] = 'bfloat16'
    assert '| 1 | 55.0 | 54.0 |' in changes_table([*lines, *changed])


def test_three_starts_stand_beside_the_mean_of_what_each_leads_to():
    lines = [one for number, score in enumerate((55.0, 56.0, 60.0)) for one in seed(number, 50.0, 50.0, score)]
    three = line('simeps_plus', 600, 3000, 61.0, 62.0, branches=(58.0, 60.0), starts=3)
    lines[3]['validations'] = {'3000': 51.0}  # the start of seed 1 is the best
    rows = starts_table([*lines, three]).splitlines()
    assert rows[0].endswith('| one branch, from one, mean | one branch, from the best one | one branch, from three |')
    assert rows[2:] == ['| NEU-Seg, steel, 1 % | 3,000; 600 | 1 | 57.0 | 56.0 | 61.0 | 55.0 | 54.0 | 59.0 |']
    assert markdown([*lines, three]) == markdown(lines)
    lines[8]['validations']['0'] = 49.0  # of another start
    assert starts_table([*lines, three]) == NONE
    lines[8]['validations']['0'], lines[8]['precision'] = 50.0, 'bfloat16'
    assert starts_table([*lines, three]) == NONE
    lines[8]['precision'] = 'float32'
    assert starts_table([*lines, three]) != NONE
    for missing in (lines[0], lines[5]):  # a start, and what it leads to
        rest = [one for one in lines if one is not missing]
        assert starts_table([*rest, three]) == starts_table(lines) == NONE


def test_the_page_holds_the_tables_of_the_results():
    lines = read([LINES])
    assert CHANGES + changes_table(read([WARM]), lines) in PAGE.read_text()
    assert STARTS + starts_table([*read([WARM]), *lines]) in PAGE.read_text()
    assert CHANGES + looks_table(read([WARM])) in RESEARCH.read_text()


def test_validations_over_trainings_of_the_protocols_length():
    def looks(number, options, scores):
        one = line('simeps_plus', 1200, 3000, 55.0, 55.0, seed=number)
        one['run']['options'] = options
        return {**one, 'validations': dict(zip(('0', '600', '1200'), scores))}

    change = ['model.batch_renorm=False']
    lines = [looks(0, [], (50, 52, 51)), looks(1, [], (51, 52, 52)), looks(0, change, (50, 53, 54))]
    assert looks_table([*lines, *seed(0, 50.0, 50.0, 55.0)]).splitlines() == [
        '| set | steps on labels | recipe | seeds | step 0 | step 600 | step 1200 |',
        '|---|---|---|---|---|---|---|',
        '| NEU-Seg, steel, 1 % | 3,000 | as it is | 2 | 50.5 | 52.0 | 51.5 |',
        '| NEU-Seg, steel, 1 % | 3,000 | `model.batch_renorm=False` | 1 | 50.0 | 53.0 | 54.0 |',
    ]
    assert looks_table([]) == NONE
