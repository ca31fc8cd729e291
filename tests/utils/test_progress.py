import sys

from simeps_mmseg.utils import progress


def test_quiet_lines_where_nobody_watches(capsys, monkeypatch):
    clock = iter(range(0, 1000, 4))  # four seconds an item
    monkeypatch.setattr(sys.modules[progress.__module__].time, 'monotonic', lambda: float(next(clock)))
    assert list(progress(list('abcdefgh'), 'read')) == list('abcdefgh')
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [['read:', '2/8'], ['read:', '5/8']]
    assert '00:12<' in lines[0]


def test_nothing_of_what_is_quick(capsys):
    assert sum(progress(range(100), 'count')) == 4950
    assert sum(progress((k for k in range(10)), 'without a length')) == 45
    assert capsys.readouterr().err == ''


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True)
    assert list(progress([1, 2], 'watched', total=2)) == [1, 2]
    assert 'watched: 100%' in capsys.readouterr().err
