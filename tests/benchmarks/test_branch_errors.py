"""How much branches differ in what they get wrong."""

import math

import pytest
import torch
from mmseg.registry import MODELS

from benchmarks.branch_errors import BranchErrors, branch_errors, errors_on_test_set
from simeps_mmseg.deploy import network_states, state_of_branches
from simeps_mmseg.utils import UserError
from tests.helpers import experiment


def test_errors_of_branches_that_are_counted_by_hand():
    target = torch.tensor([[0, 0, 1, 255]])
    branches = torch.tensor([[[1, 0, 1, 3]], [[1, 2, 1, 2]], [[2, 0, 1, 1]]])
    found = branch_errors(branches, branches[0], target)
    assert found.pixels == 3
    assert found.wrong == pytest.approx(4 / 3)
    assert found.wrong_together == 1
    assert found.different == pytest.approx((1 + 1 + 2) / 3)
    assert found.shared == pytest.approx(1 / 3)  # the first pixel, of the first two
    assert found + found == BranchErrors(6, 8 / 3, 2, 8 / 3, 2 / 3)


def test_without_errors_none_are_shared():
    maps = torch.zeros(2, 1, 3)
    *shares, shared = branch_errors(maps, maps[0], maps[0]).shares()
    assert shares == [0.0, 0.0, 0.0]
    assert math.isnan(shared)


def test_equal_branches_get_the_same_wrong(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path)
    cfg.dump(tmp_path / 'semi.json')
    torch.manual_seed(0)
    different = MODELS.build(cfg.model).state_dict()
    first, *_ = network_states(different, student=True)
    for name, state in dict(different=different, equal=state_of_branches([first] * 3)).items():
        torch.save(dict(state_dict=state), tmp_path / f'{name}.pth')
    equal = errors_on_test_set(str(tmp_path / 'semi.json'), str(tmp_path / 'equal.pth'), [])
    assert (equal.different, equal.shared, equal.wrong_together) == (0, equal.wrong, equal.wrong)
    other = errors_on_test_set(str(tmp_path / 'semi.json'), str(tmp_path / 'different.pth'), [])
    assert other.pixels == equal.pixels > 0
    assert 0 < other.shared < other.wrong


def test_one_network_has_none_to_compare_with(synthetic_root, tmp_path):
    experiment(synthetic_root, tmp_path, semi=False).dump(tmp_path / 'plain.json')
    with pytest.raises(UserError, match='has no branches to compare'):
        errors_on_test_set(str(tmp_path / 'plain.json'), '', [])
