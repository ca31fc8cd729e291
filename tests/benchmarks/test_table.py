import mmseg
import pytest

from benchmarks import results, table
from benchmarks.one_run import config_hash, experiment
from benchmarks.protocols import name_of
from tests.conftest import ROOT


def line(method, seed, score):
    scores = dict.fromkeys(table.COLUMNS, score)
    if method == 'simeps':
        scores |= {f'branch_{k}.{key}': score - 1 - k for k in range(3) for key in table.COLUMNS}
    run = dict(method=method, model='unet', dataset='neu', seed=seed, iters=10, size=64, batch=8, percent=10)
    return results.normalized(dict(run=run, labeled=308, test=scores))


def test_means_and_spread_over_runs():
    lines = [line('simeps', 0, 72.0), line('simeps', 1, 70.0), line('supervised', 0, 69.0)]
    rows = table.markdown(lines).splitlines()[2:]
    assert rows[0] == '| 10 % (308 images) | labels only | 1 | 69.0 | 69.0 | 69.0 |'
    assert rows[1].startswith('| 10 % (308 images) | simEps | 2 | 71.0 ± 1.4 |')
    assert rows[2].startswith('| 10 % (308 images) | simEps, one branch alone | 2 | 69.0 ±')


def test_protocols_are_not_averaged():
    other = line('simeps', 1, 70.0)
    other['run']['iters'] = 20
    with pytest.raises(ValueError, match='one table is for one protocol'):
        table.markdown([line('simeps', 0, 72.0), other])


def test_the_readme_speaks_of_one_protocol_and_of_methods_as_they_are():
    tiny = line('simeps', 0, 72.0)
    tiny['run'].update(iters=1000)
    ablation = line('simeps', 0, 60.0)
    ablation['run'] = {**tiny['run'], 'options': ['a=1']}
    assert table.readme_lines([tiny, line('simeps', 0, 50.0), ablation]) == [tiny]


def test_only_what_is_between_the_markers_changes():
    text = f'before\n{table.BEGIN}old\n{table.END}after\n'
    assert table.replaced(text, 'new\n') == f'before\n{table.BEGIN}new\n{table.END}after\n'


def test_the_readme_holds_the_table_of_the_results():
    lines = table.readme_lines(results.read(results.shipped()))
    if not lines:
        pytest.skip('no results yet')
    assert table.markdown(lines) in (ROOT / 'README.md').read_text()


def test_the_readme_holds_runs_of_the_configs_as_they_are():
    """Whoever changes a config repeats its runs, or says in their options what they were: results.md keeps those apart."""
    lines = table.readme_lines(results.read(results.shipped()))
    same_base = [line for line in lines if line['versions']['mmseg'] == mmseg.__version__]
    if not same_base:
        pytest.skip(
            f"the runs were made with another MMSegmentation, whose base configs may differ from {mmseg.__version__}'s"
        )
    other = [name_of(line['run']) for line in same_base if line['config_hash'] != config_hash(experiment(line['run']))]
    assert not other, f'trained with a config that is not there any more: {other}'
