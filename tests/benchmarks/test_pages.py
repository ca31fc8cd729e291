"""Tables in pages: those of the results, and where they stand."""

from argparse import ArgumentParser
from importlib import import_module

import pytest

from benchmarks import pages
from benchmarks.pages import END, ResultsTable, replaced
from benchmarks.results import append
from tests.conftest import ROOT

SCRIPTS = (
    'config_cost',
    'conversions',
    'ensemble_room',
    'export_speed',
    'faults',
    'gpu_losses',
    'gpu_steps',
    'graph_breaks',
    'kills',
    'list_scaling',
    'loader_speed',
    'many_images',
    'part_errors',
    'processes',
    'selection_scaling',
    'soak',
    'step_cost',
    'step_counts',
)
TABLES = [import_module(f'benchmarks.{name}').TABLE for name in SCRIPTS]


@pytest.mark.parametrize('table', TABLES, ids=lambda table: table.script)
def test_the_page_holds_the_table_of_the_results(table):
    assert table.begin + table.of(table.results) + END in table.path.read_text()


def test_a_table_is_named_like_its_script():
    assert tuple(table.script for table in TABLES) == SCRIPTS


def test_every_table_of_a_script_is_tested():
    found = {path.stem for path in (ROOT / 'benchmarks').glob('*.py') if 'ResultsTable(' in path.read_text()}
    assert found == {*SCRIPTS, 'pages'}


def test_a_table_without_lines_says_so(tmp_path):
    table = ResultsTable('some', 'some.md', lambda lines: f'{len(lines)} lines\n')
    assert table.of(tmp_path / 'lines.jsonl') == 'Not measured yet on this code.\n'
    append(tmp_path / 'lines.jsonl', {})
    assert table.of(tmp_path / 'lines.jsonl') == '1 lines\n'


def test_only_what_is_between_the_markers_changes():
    begin = '<!-- some -->\n'
    text = f'before\n{begin}old\n{END}after\n'
    assert replaced(text, 'new\n', begin) == f'before\n{begin}new\n{END}after\n'


def test_update_writes_the_page_and_ends_the_script(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, 'DOCS', tmp_path)
    table = ResultsTable('some', 'some.md', lambda lines: f'{len(lines)} lines\n')
    (tmp_path / 'some.md').write_text(f'{table.begin}old\n{END}')
    append(tmp_path / 'lines.jsonl', {})
    arguments = ['some.py', '--results', str(tmp_path / 'lines.jsonl')]
    monkeypatch.setattr('sys.argv', arguments)
    assert table.parse(ArgumentParser()).results == tmp_path / 'lines.jsonl'
    assert 'old' in (tmp_path / 'some.md').read_text()
    monkeypatch.setattr('sys.argv', [*arguments, '--update'])
    with pytest.raises(SystemExit) as ended:
        table.parse(ArgumentParser())
    assert not ended.value.code
    assert (tmp_path / 'some.md').read_text() == f'{table.begin}1 lines\n{END}'
