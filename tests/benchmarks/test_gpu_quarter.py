"""The quarter of an hour on a GPU: its cases, its comparisons, and the shell functions that hold it together."""

import json
import os
import subprocess
import tarfile

import numpy as np
import pytest

from benchmarks import loader_speed
from benchmarks.gpu_losses import largest_difference, without_draws
from benchmarks.gpu_plan import plan
from benchmarks.gpu_steps import cases, ratio
from benchmarks.loader_speed import rates
from benchmarks.protocols import GPU_METHODS, GPU_NETWORKS
from benchmarks.steps import Case, model_config
from simeps_mmseg.utils.config_tree import walk_dicts
from tests.conftest import ROOT

SCRIPT = ROOT / 'benchmarks/gpu_quarter.sh'


def test_labels_only_comes_before_what_is_compared_with_it_and_slow_cases_last():
    """Behind the eager ones in bfloat16 the compiled U-Net: a slow start still tells whether that pays."""
    order = list(cases(GPU_NETWORKS))
    assert len(set(order)) == len(order) == 2 * 3 * 2 * 3
    assert [case.compiled for case in order] == [False] * 12 + [True] * 3 + [False] * 6 + [True] * 15
    assert {case.network for case in order[:6]} == {case.network for case in order[12:15]} == {'unet'}
    assert {case.precision for case in order[6:15]} == {'bfloat16'}
    assert [case.method for case in order[:3]] == list(GPU_METHODS)
    assert GPU_METHODS[0] == 'supervised'


def test_the_plan_is_what_fits_in_float32_unless_bfloat16_is_much_faster():
    def measured(precision, *seconds, **changes):
        line = dict(what='step', network='unet', size=256, compiled=False, precision=precision)
        return [{**line, 'method': method, 'seconds': taken, **changes} for method, taken in zip(GPU_METHODS, seconds)]

    slow = measured('float32', 0.1, 0.3, 0.4)
    # 0.8 s an iteration, a third of that beside it, 1.4 times as fast side by side.
    assert plan(slow, 0.8 * 4 / 3 / 1.4 * 6000 + 1) == (6000, 'float32')
    assert plan(slow, 0.8 * 4 / 3 / 1.4 * 6000 - 1) == (5000, 'float32')
    assert plan(slow, 1) == (500, 'float32')
    assert plan([*slow, *measured('bfloat16', 0.1, 0.25, 0.3)], 1) == (500, 'float32')
    assert plan([*slow, *measured('bfloat16', 0.05, 0.15, 0.2)], 0.4 * 4 / 3 / 1.4 * 6000 + 1) == (6000, 'bfloat16')
    others = measured('bfloat16', 0.01, 0.01, 0.01, compiled=True) + measured('bfloat16', 0.01, 0.01)
    assert plan([dict(what='part'), *slow, *others, dict(what='step', error='memory')], 1) == (500, 'float32')
    assert plan(others, 1e9) == (500, 'auto')


def test_ratio_is_to_three_steps_of_the_same_case():
    base, other = Case('unet', 256, 16, 'supervised', 'float32'), Case('unet', 256, 16, 'supervised', 'bfloat16')
    case = Case('unet', 256, 16, 'simeps', 'float32')
    assert ratio(case, {base: 2.0, other: 1.0, case: 6.3}) == 1.05
    assert ratio(case, {other: 1.0, case: 6.3}) is None


@pytest.mark.parametrize('method', GPU_METHODS)
def test_any_method_goes_around_any_network_without_weights_from_elsewhere(method):
    model = model_config(method, 'deeplabv3')
    branch = model if method == 'supervised' else model.branch
    assert branch.decode_head.type == 'ASPPHead'
    nodes = dict(walk_dicts(model._cfg_dict if hasattr(model, '_cfg_dict') else model))
    assert not any(node.get('type') == 'SyncBN' or node.get('pretrained') for node in nodes.values())
    still = without_draws(model)
    assert all(not node.get('dropout_ratio') for _, node in walk_dicts(still))
    assert not {'view', 'cut_mix'} & still.keys()


def test_losses_that_are_no_numbers_are_not_equal():
    assert largest_difference([2.0, 4.0], [2.0, 3.0]) == 0.25
    assert largest_difference([2.0, 4.0], [2.0, float('nan')]) == float('inf')
    with pytest.raises(ValueError, match='zip'):
        largest_difference([2.0], [2.0, 4.0])


def test_rates_count_the_batches_of_the_time_alone(monkeypatch):
    """A batch takes a second, half of it of the processor; those before the time do not count."""
    drawn = []
    monkeypatch.setattr(loader_speed.time, 'perf_counter', lambda: float(len(drawn)))
    monkeypatch.setattr(loader_speed.time, 'process_time', lambda: len(drawn) / 2)

    def batches():
        while True:
            drawn.append(None)
            yield

    assert rates(batches(), 9.5) == (1.0, 2.0)
    assert len(drawn) == 4 + 10  # the last takes it past the time


def shell(place, commands):
    """What functions of the script do in a folder; the script's last line, which runs it, is left out."""
    text = '\n'.join(SCRIPT.read_text().splitlines()[:-1])
    (place / 'script.sh').write_text(f'{text}\nPLACE={place}/place OUT={place}/out\n{commands}\n')
    for name in ('place/state', 'out'):
        (place / name).mkdir(parents=True)
    return place / 'script.sh'


def run(script):
    return subprocess.run(['bash', str(script)], capture_output=True, text=True, timeout=60)


def lines(place):
    return [json.loads(line) for line in (place / 'out/lines.jsonl').read_text().splitlines()]


def test_a_part_that_fails_or_takes_too_long_does_not_stop_the_next(tmp_path):
    script = shell(tmp_path, 'part slow 1 sleep 30\npart wrong 9 bash -c "echo why; exit 3"\npart right 9 echo done')
    assert run(script).returncode == 0
    assert [(line['name'], line['code']) for line in lines(tmp_path)] == [('slow', 124), ('wrong', 3), ('right', 0)]
    assert (tmp_path / 'out/log.txt').read_text() == '== slow\n== wrong\nwhy\n== right\ndone\n'


def asked_for(place, settings, commands='train'):
    """What training asks of compare.py, and its plan: the interpreter is one that says what it is asked for."""
    script = shell(place, f'PYTHON={place}/echo {settings}\n{commands}')
    (place / 'echo').write_text(ECHO)
    (place / 'echo').chmod(0o755)
    assert 'unbound' not in run(script).stderr
    (plan,) = (place / 'place/state').glob('plan_*')
    return [line for line in (place / 'out/log.txt').read_text().splitlines() if 'compare.py' in line], plan


ECHO = """#!/usr/bin/env bash
case "$*" in
    *gpu_plan.py*) [ -n "$PLANS" ] && echo "$PLANS" ;;
    *print*) echo 1.5 ;;
    *) echo "$*" ;;
esac
"""


@pytest.mark.parametrize('planned', ['2000 666 float32', ''])
def test_tables_are_trained_by_the_plan_and_a_plan_that_failed_is_a_small_one(planned, tmp_path, monkeypatch):
    monkeypatch.setenv('PLANS', planned)
    asked, plan = asked_for(tmp_path, 'TABLES=paper', 'train\ntrain')
    iterations, further, precision = (planned or '500 166 auto').split()
    assert (plan.name, plan.read_text().split()) == ('plan_paper', [iterations, further, precision])
    assert len(asked) == 2 * 4  # two calls
    assert all(f'--precision {precision} ' in line for line in asked)
    assert all(f'--fractions 10 --iters {iterations} --data-root' in line for line in asked[::4])
    assert all(f'--fractions 1 --iters {further} --start {iterations} ' in line for line in asked[3::4])


@pytest.mark.parametrize('small', ['', '1'])
def test_all_methods_begin_at_the_same_networks_on_labels(small, tmp_path, monkeypatch):
    monkeypatch.setenv('SMALL', small)
    asked, plan = asked_for(tmp_path, 'CHANGE=model.batch_renorm=False')
    assert (plan.name, json.loads(plan.read_text())['tables']) == ('plan_warm', 'warm')
    asked = [line.split() for line in asked]
    starts = [(one[one.index('--fractions') + 1], one[one.index('--start') + 1]) for one in asked]
    steps = ['6', '6'] if small else ['3000', '4500']
    assert sorted(starts) == [*3 * [('1', steps[0])], *2 * [('10', steps[1])], *2 * [('5', steps[1])]]
    assert sum('model.batch_renorm=False' in one for one in asked) == 3
    assert all(one[one.index('--protocol') + 1] == 'warm' and '--precision' in one for one in asked)


@pytest.mark.parametrize('works', [True, False])
def test_processes_share_the_device_where_that_works(works, tmp_path, monkeypatch):
    """The control program of NVIDIA's MPS is one that notes what it is asked for; Python fails where sharing does."""
    tools = tmp_path / 'tools'
    tools.mkdir()
    for name, text in {
        'nvidia-cuda-mps-control': f'echo "$* $(timeout 1 cat)" >> {tmp_path}/asked',
        'python': f'exit {int(not works)}',
    }.items():
        (tools / name).write_text(f'#!/usr/bin/env bash\n{text}\n')
        (tools / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{tools}:{os.environ["PATH"]}')
    says = 'echo "dir=${CUDA_MPS_PIPE_DIRECTORY:-none}"'
    script = shell(tmp_path, f'PYTHON={tools}/python\ntrain_warm() {{ {says}; }}\ntrain')
    assert f'dir={tmp_path / "place/mps" if works else "none"}' in run(script).stdout
    assert (tmp_path / 'asked').read_text().split() == ['-d', 'quit']


def test_state_is_packed_in_pieces_and_what_does_not_fit_is_named(tmp_path):
    script = shell(tmp_path, 'PIECE_MIB=1 PIECES=2\npack_state')
    state = tmp_path / 'place/state'
    (state / 'results.jsonl').write_text('{}\n')
    (state / 'plan_warm').write_text('2000 666 float32\n')  # another plan would begin other runs
    for age, (name, kib) in enumerate([('new', 1200), ('large', 1600)]):
        (state / f'{name}.pth').write_bytes(np.random.default_rng(0).bytes(kib * 1024))
        os.utime(state / f'{name}.pth', (1000 - age, 1000 - age))  # the newest comes first
    assert run(script).returncode == 0
    pieces = sorted((tmp_path / 'out').glob('state.tar.xz.*'))
    assert [piece.name for piece in pieces] == ['state.tar.xz.00', 'state.tar.xz.01']
    assert [line['file'] for line in lines(tmp_path)] == ['large.pth']
    whole = tmp_path / 'whole.tar.xz'
    whole.write_bytes(b''.join(piece.read_bytes() for piece in pieces))
    with tarfile.open(whole) as packed:
        assert packed.getnames() == ['state/new.pth', 'state/results.jsonl', 'state/plan_warm']
        assert packed.extractfile('state/new.pth').read() == (state / 'new.pth').read_bytes()
