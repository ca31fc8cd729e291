"""The tables of docs/reliability.md, and what they are counted from."""

import pytest
import torch

from benchmarks import faults, reliability, soak
from benchmarks.results import RESULTS
from tests.conftest import ROOT


def test_the_page_holds_the_table_of_the_audit_and_today():
    assert reliability.BEGIN + reliability.of_results(RESULTS) in reliability.PAGE.read_text()
    assert {row.kind for row in reliability.FAULTS} == set(faults.KINDS)


def test_today_is_counted_from_the_lines():
    fault = dict(kind='attacks', stack='onedl-mmengine', tried=9, held=8, skipped=0, failed=['a::b'])
    killed = dict(method='simeps', workers=0, signals=['KILL'], iters=8, seed=0, kills=3, finished=True, equal=False)
    told = dict(killed, signals=['TERM', 'HUP'], equal=True)
    rows = reliability.markdown([fault], [killed, dict(killed, equal=True), told], [dict(iters=30_000)]).splitlines()
    ends = [row.split('|', 4)[-1].strip() for row in rows]
    assert ends[2] == '2, by 6 signals | 2 end, 1 with the same weights |'
    assert ends[3] == '1, by 3 signals | 1 end, 1 with the same weights |'
    assert ends[9] == '9 | 8 |'
    assert ends[-1] == '30,000 steps | see below |'
    assert ends[4] == 'not yet measured |  |'


def test_numbers_that_the_stacks_share_are_shown_once():
    lines = [dict(stack='mmengine', tried=9, held=8), dict(stack='onedl-mmengine', tried=9, held=9)]
    assert reliability.by_stack(lines, 'tried') == '9 on either stack'
    assert reliability.by_stack(lines, 'held') == '8 on stock OpenMMLab, 9 on OneDL'


def test_every_kind_of_fault_has_tests():
    missing = [path for paths in faults.KINDS.values() for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_faults_are_counted_by_what_became_of_them(tmp_path, monkeypatch):
    (tmp_path / 'test_some.py').write_text(
        'import pytest\n'
        'def test_holds(): pass\n'
        'def test_fails(): assert False\n'
        '@pytest.fixture\n'
        'def broken(): raise OSError\n'
        'def test_cannot_begin(broken): pass\n'
        '@pytest.mark.skip\n'
        'def test_elsewhere(): pass\n'
    )
    monkeypatch.setitem(faults.KINDS, 'attacks', [str(tmp_path / 'test_some.py')])
    line = faults.run('attacks')
    assert {key: line[key] for key in ('tried', 'held', 'skipped')} == dict(tried=3, held=1, skipped=1)
    assert [name.split('::')[1] for name in line['failed']] == ['test_fails', 'test_cannot_begin']
    row = faults.markdown([dict(line, held=0), line]).splitlines()[-1]  # the last counts
    assert row.endswith(f'| {line["stack"]} | 3 | 1 | `test_fails`, `test_cannot_begin` |')


def test_a_soak_is_read_from_the_process_and_its_folder(tmp_path):
    torch.save(torch.zeros(1 << 18), tmp_path / 'iter_2.pth')
    found = soak.reading(tmp_path)
    assert found['folder_files'] == 1
    assert found['checkpoint_mib'] == pytest.approx(1.0, abs=0.01)
    assert found['folder_mib'] == pytest.approx(1.0, abs=0.01)
    assert found['memory_mib'] > 50
    with (tmp_path / 'a').open('w'):
        assert soak.reading(tmp_path)['open_files'] == found['open_files'] + 1


def test_the_table_of_a_soak_shows_its_course():
    shown = dict.fromkeys(soak.SHOWN, 1.5)
    readings = [dict(shown, step=step, memory_mib=500 + step) for step in range(10, 101, 10)]
    line = dict(method='simeps_plus', workers=0, iters=100, threads=1, readings=readings)
    first = soak.markdown([line]).splitlines()[2]
    assert first == '| simEps-plus, 100 steps, 0 worker processes | memory of the process, MiB | 510 | 550 | 600 |'
