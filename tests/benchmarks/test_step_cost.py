"""What a step costs: the ways that are compared, and their table."""

import pytest
from mmengine.optim import OptimWrapper

from benchmarks.step_cost import VARIANTS, markdown, prepare
from benchmarks.steps import Case
from simeps_mmseg.models.segmentors import multi_branch


@pytest.mark.parametrize(
    ('name', 'backward', 'recomputed'),
    [('labels only', 1, 0), ('simEps', 2, 0), ('simEps, one backward pass', 1, 0), ('simEps, branch by branch', 2, 4)],
)
def test_a_variant_trains_as_it_says(name, backward, recomputed, monkeypatch):
    """Backward passes of a step, and forward passes that are run twice: two of three branches, for each part."""
    calls = dict(backward=0, recomputed=0)

    def counting(key, function):
        def call(*args):
            calls[key] += 1
            return function(*args)

        return call

    monkeypatch.setattr(OptimWrapper, 'backward', counting('backward', OptimWrapper.backward))
    monkeypatch.setattr(multi_branch, 'recomputed', counting('recomputed', multi_branch.recomputed))
    step, peak = prepare(name, Case('unet', 32, 2, 'supervised', 'float32'), 'cpu')
    assert peak >= 0
    assert calls == dict(backward=2 * backward, recomputed=2 * recomputed)  # two steps warm up
    assert step() > 0
    assert calls == dict(backward=3 * backward, recomputed=3 * recomputed)


def line(precision, seconds, **more):
    peaks = dict.fromkeys(VARIANTS, 100) | {'simEps, branch by branch': 84}
    return dict(
        network='unet',
        size=128,
        batch=8,
        precision=precision,
        device='CPU, 2 threads',
        rounds=3,
        seconds=dict.fromkeys(VARIANTS, seconds),
        time=dict.fromkeys(list(VARIANTS)[1:], 1.049),
        peak_mib=peaks,
        memory={name: peak / 100 for name, peak in peaks.items()},
        **more,
    )


def test_the_table_has_the_newest_line_of_each_precision():
    rows = markdown([line('float32', 9.0), line('bfloat16', 0.5), line('float32', 1.0)]).splitlines()
    assert rows[0].count('unet, 8 + 8 images of 128 x 128, float32, CPU, 2 threads, 3 rounds') == 1
    assert rows[-4] == '| simEps, branch by branch | 1.05, 0.84 | 1.05, 0.84 |'
    assert rows[-1].startswith('One labels-only step takes 1 s and 100 MiB, 0.5 s and 100 MiB. 1.00 is')
    assert 'compiled' not in '\n'.join(rows)
