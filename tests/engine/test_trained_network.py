"""The network of a supervised config, built to be looked at."""

import warnings

from mmengine.config import Config

from simeps_mmseg.engine.checks import built_network
from tests.helpers import tiny_branch


def test_what_the_stack_advises_is_for_trainings():
    branch = tiny_branch()
    branch.decode_head.loss_decode = dict(type='CrossEntropyLoss')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        built_network(Config(dict(model=branch)))
    assert [str(one.message) for one in said] == []
