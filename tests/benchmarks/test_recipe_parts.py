"""The table of what each part of the recipe brings."""

import inspect

from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from benchmarks.gains import PAGE, WARM
from benchmarks.one_run import experiment
from benchmarks.protocols import PROTOCOLS, identity
from benchmarks.recipe_parts import BEGIN, PARTS, markdown, pairs
from benchmarks.results import read
from simeps_mmseg.models.segmentors import MultiBranchSemiSegmentor


def line(seed, score, options=(), dataset='synthetic', **more):
    test = {'mIoU_fg': score, 'branch_0.mIoU_fg': score - 1.0, 'branch_1.mIoU_fg': score - 2.0}
    run = dict(PROTOCOLS['warm'], method='simeps_plus', dataset=dataset, percent=2, seed=seed, options=options) | more
    return dict(run=identity(run), best=dict(test=test))


SIMILARITY = PARTS['the similarity loss']


def test_a_difference_is_one_within_a_seed():
    lines = [line(0, 50.0), line(1, 54.0), line(0, 49.0, SIMILARITY), line(1, 52.0, SIMILARITY)]
    table = markdown(lines)
    assert '| as it is | 2 | 52.0 ± 2.8 | 50.5 ± 2.8 |  |' in table
    assert '| without the similarity loss | 2 | 50.5 ± 2.1 | 49.0 ± 2.1 | -1.5 ± 0.7 |' in table
    assert '| without pseudo-labels | not yet measured | | | |' in table


def test_a_seed_counts_only_with_both_runs():
    assert pairs([line(0, 49.0, SIMILARITY), line(1, 50.0)], SIMILARITY) == []
    assert pairs([line(0, 49.0, SIMILARITY, iters=600), line(0, 50.0, iters=600)], SIMILARITY) == []
    assert pairs([line(0, 49.0, SIMILARITY, 'neu'), line(0, 50.0, dataset='neu')], SIMILARITY) == []


def test_each_part_is_one_of_the_recipe():
    """What is left out is there, by the config or by default, and the model without it is built."""
    init_default_scope('mmseg')
    defaults = {key: one.default for key, one in inspect.signature(MultiBranchSemiSegmentor).parameters.items()}
    recipe = {**defaults, **experiment(line(0, 0.0)['run']).model}
    for options in PARTS.values():
        for option in options:
            name = option.removeprefix('model.').split('=')[0].split('.')[0]
            assert recipe[name] not in (None, False), option
        MODELS.build(experiment(line(0, 0.0, options)['run']).model)


def test_the_page_has_the_table_of_the_lines():
    assert BEGIN + markdown(read([WARM])) in PAGE.read_text()
