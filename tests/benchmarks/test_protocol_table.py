import pytest

from benchmarks import protocol_table, results


def line(method, seed, score):
    scores = dict.fromkeys(protocol_table.COLUMNS, score)
    if method == 'simeps':
        scores |= {f'branch_{k}.{key}': score - 1 - k for k in range(3) for key in protocol_table.COLUMNS}
    run = dict(method=method, model='unet', dataset='neu', seed=seed, iters=10, size=64, batch=8, percent=10)
    return results.normalized(dict(run=run, labeled=308, test=scores))


def test_means_and_spread_over_runs():
    lines = [line('simeps', 0, 72.0), line('simeps', 1, 70.0), line('supervised', 0, 69.0)]
    rows = protocol_table.markdown(lines).splitlines()[2:]
    assert rows[0] == '| 10 % (308 images) | labels only | 1 | 69.0 | 69.0 | 69.0 |'
    assert rows[1].startswith('| 10 % (308 images) | simEps | 2 | 71.0 ± 1.4 |')
    assert rows[2].startswith('| 10 % (308 images) | simEps, one branch alone | 2 | 69.0 ±')


def test_protocols_are_not_averaged():
    other = line('simeps', 1, 70.0)
    other['run']['iters'] = 20
    with pytest.raises(ValueError, match='one table is for one protocol'):
        protocol_table.markdown([line('simeps', 0, 72.0), other])


def test_the_table_is_of_one_protocol_and_of_methods_as_they_are():
    tiny = line('simeps', 0, 72.0)
    tiny['run'].update(iters=1000)
    ablation = line('simeps', 0, 60.0)
    ablation['run'] = {**tiny['run'], 'options': ['a=1']}
    assert protocol_table.shown([tiny, line('simeps', 0, 50.0), ablation]) == [tiny]
