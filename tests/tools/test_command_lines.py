"""How command lines are made of signatures; nothing is run."""

import inspect
import json
import os
import re
import runpy
import subprocess
import sys

import pytest

import simeps_mmseg.apis
from simeps_cli import Command, signature_only
from simeps_mmseg.datasets.preparation import SyntheticReader
from simeps_mmseg.datasets.selection import NEAR_DUPLICATE
from tests.conftest import ROOT

TOOLS = {path.stem: path for path in sorted((ROOT / 'tools').glob('*.py'))}
HELP_OF_EACH = """
import contextlib, io, json, runpy, sys
usages = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = [*arguments, '--help']
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        runpy.run_path(arguments[0], run_name='__main__')
    usages.append(text.getvalue())
print(json.dumps([usages, sorted({'torch', 'mmengine', 'numpy', 'simeps_mmseg'} & sys.modules.keys())]))
"""


def command(name: str) -> Command:
    return runpy.run_path(str(TOOLS[name]), run_name='tool')['main']


def parse(name: str, line: str) -> dict:
    return command(name).parse(line.split())


def test_help_imports_nothing_heavy():
    lines = [[str(tool)] for tool in TOOLS.values()] + [[str(ROOT / 'simeps_cli.py'), name] for name in TOOLS]
    done = subprocess.run(
        [sys.executable, '-c', HELP_OF_EACH, json.dumps(lines)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    usages, heavy = json.loads(done.stdout)
    assert heavy == []
    for name, usage in zip(
        [f'{name}.py' for name in TOOLS] + [f'simeps {name}' for name in TOOLS], usages, strict=True
    ):
        assert usage.startswith(f'usage: {name} ')


@pytest.mark.parametrize('name', TOOLS)
def test_a_command_line_is_the_signature(name):
    main = command(name)
    function = getattr(simeps_mmseg.apis, main.function or main.module)
    stub = signature_only(ROOT / f'simeps_mmseg/apis/{main.module}.py', function.__name__)
    expected, found = (inspect.signature(one).parameters for one in (function, stub))
    assert list(expected) == list(found)
    assert [one.default for one in expected.values()] == [one.default for one in found.values()]


@pytest.mark.parametrize(
    ('name', 'line', 'expected'),
    [
        (
            'train',
            'c.py --work-dir w --resume --amp --from-scratch --cfg-options a=1 b.c=[x,y] --launcher pytorch',
            dict(
                config='c.py',
                work_dir='w',
                resume=True,
                amp=True,
                from_scratch=True,
                options=['a=1', 'b.c=[x,y]'],
                launcher='pytorch',
            ),
        ),
        (
            'train',
            'c.py --cfg-options a=1 --resume --cfg_options=b=2 c=3',
            dict(config='c.py', resume=True, options=['a=1', 'b=2', 'c=3']),
        ),
        ('make_semi', 'c.py --unlabeled u -o s.py --checkpoint a --checkpoint b', dict(checkpoint=['a', 'b'])),
        ('train', '--work_dir=w c.py', dict(config='c.py', work_dir='w', resume=False, options=())),
        (
            'test',
            'c.py k.pth --work-dir w --out o --show --show-dir s --wait-time 0.5 --tta --cfg-options a=1',
            dict(checkpoint='k.pth', out='o', show=True, show_dir='s', wait_time=0.5, tta=True, options=['a=1']),
        ),
        (
            'predict',
            'c.py k.pth *.jpg -o out --min-area 9 --every 2 --no-overlays --device cuda:0',
            dict(source='*.jpg', out='out', min_area=9, every=2, overlays=False, device='cuda:0'),
        ),
        (
            'export',
            'k.pth --branch 1 --format onnx --size 64 96 --input-type float32 --bound 1e-3 --student --overwrite -o x.onnx',
            dict(branch='1', kind='onnx', size=(64, 96), input_type='float32', bound=1e-3, student=True, out='x.onnx'),
        ),
        (
            'make_semi',
            'c.py --unlabeled d -o s.py --labeled a b --method cps --suffixes .jpg .png --checkpoint k.pth',
            dict(unlabeled='d', out='s.py', labeled=['a', 'b'], method='cps', checkpoint=['k.pth']),
        ),
        (
            'compare_predictions',
            'a.py b.py --checkpoints k l --labels x y --worst 3 --by x --split val --errors --colors dataset',
            dict(configs=['a.py', 'b.py'], checkpoints=['k', 'l'], worst=3, best=None, errors=True, colors='dataset'),
        ),
        ('prepare_data', 'neu a.zip --fractions 2 2.5 --stratify', dict(source='a.zip', fractions=[2.0, 2.5])),
        ('prepare_data', 'synthetic --num-train 12 --size 32', dict(source=None, num_train=12, size=32, num_test=None)),
        ('rank_unlabeled', 'c k d --split-in p --split-out q --count 5', dict(out='ranking', split_in='p', count=5)),
        ('report', 'w --images 0 --unlabeled 3 -o r.html', dict(work_dir='w', images=0, unlabeled=3, out='r.html')),
        ('report', 'w --config c.py', dict(work_dir='w', config='c.py', checkpoint=None)),
        ('visualize_similarity', '--log w', dict(config=None, checkpoint=None, log='w')),
        ('visualize_similarity', 'c k --count 3', dict(config='c', checkpoint='k', log=None, count=3)),
        ('plot_log', 'a b --labels x y --dpi 50', dict(runs=['a', 'b'], labels=['x', 'y'], dpi=50)),
        ('check_dataset', 'c.py --workers 0 --limit 0', dict(workers=0, limit=0)),
        ('demo', '--folder f --iters 3', dict(folder='f', iters=3)),
    ],
)
def test_spelling(name, line, expected):
    found = parse(name, line)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ('name', 'line', 'message'),
    [
        ('train', '', 'CONFIG'),
        ('predict', 'c k s', '--out'),
        ('train', 'c.py --lancher none', '--lancher'),
        ('export', 'k.pth --format bmp', 'bmp'),
        ('report', 'w --images many', 'many'),
        ('make_semi', 'c.py --unlabeled d -o s.py --checkpoint', '--checkpoint is given without a value'),
    ],
)
def test_wrong_arguments_end_with_code_2(name, line, message, capsys):
    with pytest.raises(SystemExit) as end:
        parse(name, line)
    assert end.value.code == 2
    assert message in ''.join(capsys.readouterr())


@pytest.mark.parametrize(
    ('name', 'line', 'message'),
    [
        (
            'compare_predictions',
            'c --checkpoints k --best 2 --worst 3',
            'give one of --names, --random, --best, --worst',
        ),
        ('compare_predictions', 'c --checkpoints k --best 0', '--best is a number of images, 1 or more; got 0'),
        ('prepare_data', 'neu', 'neu is made from a download'),
        ('prepare_data', 'synthetic a.zip', 'synthetic is generated and has no source, got a.zip'),
        ('prepare_data', 'neu a.zip --size 9', 'are options of synthetic only'),
        ('plot_log', '', 'give the work folder of a training'),
        ('visualize_similarity', 'c', 'give CONFIG and CHECKPOINT, or --log'),
    ],
)
def test_arguments_that_do_not_go_together(name, line, message, capsys):
    with pytest.raises(SystemExit) as end:
        command(name)(line.split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('name', TOOLS)
def test_help_speaks_of_options_and_not_of_python(name, capsys):
    with pytest.raises(SystemExit) as end:
        parse(name, '--help')
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert not re.findall(r'\b(?:None|True|False|Whether)\b|``|:\w+:`|Default: \.', told)
    main = command(name)
    parameters = inspect.signature(getattr(simeps_mmseg.apis, main.function or main.module)).parameters
    assert [one for one in parameters if '_' in one and re.search(rf'\b{one}\b', told)] == []


@pytest.mark.parametrize('name', TOOLS)
def test_flags_that_turn_something_off_say_so(name, capsys):
    main = command(name)
    parameters = inspect.signature(getattr(simeps_mmseg.apis, main.function or main.module)).parameters
    assert set(main.without) == {key for key, one in parameters.items() if one.default is True}
    with pytest.raises(SystemExit):
        parse(name, '--help')
    told = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
    assert all(f'--no-{key} {text}' in told for key, text in main.without.items())


@pytest.mark.parametrize('spelling', ['--local_rank=3', '--local-rank=3', '--local-rank 3'])
def test_old_launchers_append_a_rank(monkeypatch, spelling):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    assert parse('train', f'c.py {spelling} --cfg-options a=1')['options'] == ['a=1']
    assert os.environ['LOCAL_RANK'] == '3'


def test_numbers_in_signatures_are_those_of_their_source():
    ranking = inspect.signature(simeps_mmseg.apis.rank_unlabeled).parameters
    assert ranking['similarity'].default == NEAR_DUPLICATE
    told = simeps_mmseg.apis.prepare_data.__doc__
    for name, parameter in inspect.signature(SyntheticReader).parameters.items():
        line = next(
            line for line in told.splitlines() if line.strip().startswith(f'{name.replace("seed", "image_seed")}:')
        )
        assert line.endswith(f' None: {parameter.default}.')
