"""The table of what each part of the recipe brings."""

import inspect

import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from benchmarks.demo_seeds import DEMO
from benchmarks.gains import NO_RENORM, PAGE, RESEARCH
from benchmarks.recipe_parts import (
    BEGIN,
    CHANGES,
    RECIPE_PARTS,
    SIMEPS,
    WITHOUT_RENORM,
    Change,
    done,
    markdown,
    network_on_labels,
    pairs,
    without_renorm,
)
from benchmarks.results import lines_of
from simeps_mmseg.apis.demo import CONFIGS, SEMI
from simeps_mmseg.models.losses.similarity_consistency import STAGES
from simeps_mmseg.models.segmentors import MultiBranchSemiSegmentor
from simeps_mmseg.utils.configs import load_config


def full(seed, score, start=40.0):
    """A line of the recipe as it is."""
    semi = {'mIoU_fg': score, 'branch_0.mIoU_fg': score - 1.0, 'branch_1.mIoU_fg': score - 2.0}
    return dict(seed=seed, labels_only={'mIoU_fg': start}, semi=semi)


def line(seed, score, change, starts=(40.0,)):
    """A line of a change."""
    return full(seed, score) | dict(options=change.options, labels_only=[{'mIoU_fg': start} for start in starts])


SIMILARITY, THREE = CHANGES['without the similarity loss'], CHANGES['from three networks on labels']


def test_a_difference_is_one_within_a_seed():
    recipe = [full(0, 50.0), full(1, 54.0), full(2, 90.0)]
    table = markdown(recipe, [line(0, 49.0, SIMILARITY), line(1, 52.0, SIMILARITY)])
    assert '| as it is | 3 | 64.7 ± 22.0 |  |  | 63.2 ± 22.0 |  |  |' in table
    beside = '52.0 ± 2.8 | 50.5 ± 2.1 | -1.5 ± 0.7 | 50.5 ± 2.8 | 49.0 ± 2.1 | -1.5 ± 0.7'
    assert f'| without the similarity loss | 2 | {beside} |' in table
    assert 'without pseudo-labels' not in table  # not measured


def test_several_starts_are_compared_with_the_mean_of_what_they_lead_to():
    recipe = [full(0, 50.0, start=40.0), full(1, 54.0, start=41.0), full(2, 58.0, start=42.0)]
    table = markdown(recipe, [line(0, 57.0, THREE, starts=(40.0, 41.0, 42.0))])
    assert '| from three networks on labels | 1 | 54.0 | 57.0 | 3.0 | 52.5 | 55.5 | 3.0 |' in table
    assert pairs(recipe, [line(0, 57.0, THREE, starts=(40.0, 41.0, 41.5))], THREE) == []


@pytest.mark.parametrize('other', [full(1, 50.0), full(0, 50.0, start=41.0)])
def test_a_seed_counts_only_where_both_runs_have_the_same_start(other):
    assert pairs([other], [line(0, 49.0, SIMILARITY)], SIMILARITY) == []


def test_each_part_is_one_of_the_recipe():
    """What is left out is there, by the config or by default, and the model without it is built."""
    init_default_scope('mmseg')
    defaults = {key: one.default for key, one in inspect.signature(MultiBranchSemiSegmentor).parameters.items()}
    recipe = {**defaults, **load_config(CONFIGS[SEMI]).model}
    for options, _ in CHANGES.values():
        for option in (one for one in options if one.startswith('model.')):
            name = option.removeprefix('model.').split('=')[0].split('.')[0]
            assert recipe[name] not in (None, False), option
        MODELS.build(load_config(CONFIGS[SEMI], options).model)


def test_simeps_is_that_of_its_config():
    changed, shipped = load_config(CONFIGS[SEMI], CHANGES[SIMEPS].options), load_config('simeps/unet_synthetic_2pct.py')
    assert changed.model.pop('batch_renorm') is False
    assert {key: value for key, value in changed.model.items() if value is not None} == shipped.model
    assert changed.custom_hooks == shipped.custom_hooks


def test_changes_are_those_that_their_names_say():
    models = {name: load_config(CONFIGS[SEMI], change.options).model for name, change in CHANGES.items()}
    assert models['similarity of the decoders'].similarity.stages == dict(encoder=0.0, decoder=1.0, logits=0.0)
    assert models['similarity of encoders, decoders and logits'].similarity.stages == dict.fromkeys(STAGES, 1.0)
    assert len(MODELS.build(models['two branches']).branches) == 2
    assert len(MODELS.build(models['four branches']).branches) == 4


def test_the_network_on_labels_is_the_one_that_is_there(tmp_path):
    best = tmp_path / 'seed1/supervised/best_mIoU_fg_iter_2000.pth'
    best.parent.mkdir(parents=True)
    best.touch()
    assert network_on_labels(1, tmp_path, tmp_path) == best


def test_lines_of_the_earlier_recipe_are_compared_with_its_own():
    off = list(NO_RENORM)
    lines = [line(0, 50.0, Change(off)), line(0, 49.0, Change([*SIMILARITY.options, *off])), line(0, 60.0, SIMILARITY)]
    lines.append(line(0, 48.0, CHANGES[SIMEPS]))
    table = markdown(*without_renorm(lines), 'the recipe before')
    assert '| the recipe before | 1 | 50.0 |  |  | 48.5 |  |  |' in table
    assert '| without the similarity loss | 1 | 50.0 | 49.0 | -1.0 | 48.5 | 47.5 | -1.0 |' in table
    assert f'| {SIMEPS} | 1 | 50.0 | 48.0 | -2.0 | 48.5 | 46.5 | -2.0 |' in table
    assert '| without the similarity loss | 1 | 55.0 | 60.0 | 5.0 | 53.5 | 58.5 | 5.0 |' in markdown(
        [full(0, 55.0)], lines
    )


def test_a_line_from_another_start_is_not_done():
    lines = [line(0, 50.0, SIMILARITY), line(1, 50.0, SIMILARITY, starts=(41.0,)), line(2, 50.0, THREE)]
    assert done([full(seed, 55.0) for seed in range(3)], lines, SIMILARITY) == {0}


def test_the_page_has_the_tables_of_the_lines():
    page, lines = PAGE.read_text(), lines_of(RECIPE_PARTS)
    assert BEGIN + markdown(lines_of(DEMO), lines) in page
    assert WITHOUT_RENORM + markdown(*without_renorm(lines), 'the recipe before') in RESEARCH.read_text()
