"""What ``simeps_mmseg.apis`` gives to Python users, and that its modules stand beside each other."""

import ast
import importlib
import types

import simeps_mmseg.apis as apis
from tests.conftest import ROOT

FOLDER = ROOT / 'simeps_mmseg/apis'
MODULES = sorted(path.stem for path in FOLDER.glob('[!_]*.py'))


def test_names_are_functions_also_where_a_module_has_the_same():
    importlib.import_module('simeps_mmseg.apis.train')
    from simeps_mmseg.apis import export, predict, train

    assert all(isinstance(one, types.FunctionType) for one in (export, predict, train))
    assert all(isinstance(getattr(apis, name), types.FunctionType) for name in apis.__all__)
    for name in MODULES:
        module = importlib.import_module(f'simeps_mmseg.apis.{name}')
        assert {value for value in vars(module).values() if value in [getattr(apis, one) for one in apis.__all__]}, name


def test_only_the_demo_runs_other_entry_points():
    for name in MODULES:
        nodes = ast.walk(ast.parse((FOLDER / f'{name}.py').read_text(encoding='utf-8')))
        imported = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 1]
        assert not imported or name == 'demo', f'{name} imports {imported}'


def test_nothing_below_imports_entry_points():
    for path in sorted((ROOT / 'simeps_mmseg').rglob('*.py')):
        if path.parent == FOLDER:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ImportFrom):
                assert 'apis' not in (node.module or '').split('.') or node.module == 'mmseg.apis', path
