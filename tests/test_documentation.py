"""Pages that are read in the repository: their links lead somewhere; the README stays one page."""

import ast
import inspect
import re

import pytest
import yaml
from mmengine.config import Config

import simeps_mmseg.apis
from simeps_mmseg import __version__
from tests.conftest import ROOT

PAGES = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'benchmarks/README.md',
    'configs/README.md',
    *(f'docs/{path.name}' for path in (ROOT / 'docs').glob('*.md')),
    *(f'docs/api/{path.name}' for path in (ROOT / 'docs/api').glob('*.md')),
    *(f'docs/research/{path.name}' for path in (ROOT / 'docs/research').glob('*.md')),
]
LINK = re.compile(r'\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)|src="([^"]+)"')


def anchors(text: str) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r'^#+ (.+)$', text, re.MULTILINE)
    return {re.sub(r'[^\w -]', '', heading.lower()).strip().replace(' ', '-') for heading in headings}


def page_text(page: str) -> str:
    """A page, by its path in the repository."""
    return (ROOT / page).read_text(encoding='utf-8')


def broken_links(page: str) -> list[str]:
    """The links of a page to files or headings that are not there."""
    text = page_text(page)
    broken = []
    for target, anchor, image in LINK.findall(text):
        path = (ROOT / page).parent / (target or image) if target or image else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding='utf-8'))):
            broken.append(f'{target or image}#{anchor}')
    return broken


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    assert not broken_links(page)


def test_the_index_has_every_tool():
    table = page_text('docs/index.md').partition('The tools;')[2]
    named = [
        name
        for row in table.splitlines()
        if row.startswith('| `')
        for name in re.findall(r'`(\w+)`', row.split('|')[1])
    ]
    assert sorted(named) == sorted(path.stem for path in (ROOT / 'tools').glob('*.py'))


def test_where_is_what_names_what_is_there():
    table = page_text('docs/components.md').partition('## Where is what')[2]
    files = re.findall(r'`([\w/]+(?:/|\.py|\.md))`', table)
    assert len(files) > 10
    assert [file for file in files if not any((ROOT / place / file).exists() for place in ('', 'simeps_mmseg'))] == []


def test_the_readme_of_the_benchmarks_names_each_script():
    scripts = {path.name for path in (ROOT / 'benchmarks').iterdir() if path.suffix in ('.py', '.sh')} - {'__init__.py'}
    assert set(re.findall(r'^\| `([\w.]+)` \|', page_text('benchmarks/README.md'), re.MULTILINE)) == scripts


def test_the_readme_is_one_page():
    text = page_text('README.md')
    assert len(text.split()) <= 700
    assert len(re.findall(r'^\|[-| ]+\|$', text, re.MULTILINE)) == 1, 'one table'


@pytest.mark.parametrize('page', ['docs/configs.md', 'docs/methods.md'])
def test_leaves_that_are_printed_are_those_that_are_shipped(page):
    printed = re.findall(r'`(configs/[\w/]+\.py)`:\n\n```python\n(.*?)```', page_text(page), re.DOTALL)
    assert printed
    for name, text in printed:
        shown = Config.fromstring(text.replace("'../", f"'{(ROOT / 'configs').as_posix()}/"), '.py')
        assert shown.to_dict() == Config.fromfile(ROOT / name).to_dict()


def test_the_python_example_calls_what_is_there():
    example = ast.parse(re.search(r'```python\n(.*?)```', page_text('docs/api/apis.md'), re.DOTALL)[1])
    calls = [node for node in ast.walk(example) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    entries = [node for node in calls if node.func.id in simeps_mmseg.apis.__all__]
    assert {node.func.id for node in entries} == {'export', 'make_semi', 'predict', 'train'}
    for node in entries:
        named = {keyword.arg: None for keyword in node.keywords}
        inspect.signature(getattr(simeps_mmseg.apis, node.func.id)).bind(*node.args, **named)


def test_every_page_is_in_the_table_of_contents():
    index = page_text('docs/index.md')
    listed = {name for block in re.findall(r'```{toctree}\n(.*?)```', index, re.DOTALL) for name in block.split()}
    pages = {path.relative_to(ROOT / 'docs').with_suffix('').as_posix() for path in (ROOT / 'docs').rglob('*.md')}
    assert pages - {'index'} <= listed


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(page_text('CITATION.cff'))
    assert citation['version'] == __version__
