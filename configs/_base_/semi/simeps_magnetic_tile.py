_base_ = 'simeps.py'

# What the released code changes on Magnetic Tile: lambda of 200, soft voting, and w(t) at full weight after 10,000 of
# 17,371 iterations.
semi_model = dict(cross_pseudo=dict(ensemble='mean'), similarity=dict(loss_weight=200.0))
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.576, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
