"""Learning rates by depth in each branch."""

from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS


def test_layer_decay_is_that_of_each_branch():
    """Learning rate of each parameter, against MMSeg's constructor on the branch alone."""
    from torch import nn

    class MAE(nn.Module):  # MMSeg goes by the name of the class
        def __init__(self):
            super().__init__()
            self.patch_embed = nn.Conv2d(3, 4, 2)
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    class Segmentor(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.decode_head = MAE(), nn.Linear(4, 2)

    wrapped = nn.Module()
    wrapped.branches = nn.ModuleList(Segmentor() for _ in range(2))
    options = dict(num_layers=3, decay_rate=0.5, decay_type='layer_wise')
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))

    def rates(kind, model):
        constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
            dict(type=kind, optim_wrapper_cfg=dict(wrapper), paramwise_cfg=dict(options))
        )
        return {id(p): group['lr'] for group in constructor(model).optimizer.param_groups for p in group['params']}

    expected = {}
    for branch in wrapped.branches:
        expected.update(rates('LearningRateDecayOptimizerConstructor', branch))
    assert rates('BranchLearningRateDecayOptimizerConstructor', wrapped) == expected
    assert len(set(expected.values())) == 5
