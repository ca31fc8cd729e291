_base_ = 'simeps_200.py'

# On DAGM the paper's w(t) rises faster than on NEU-Seg: to full weight in 12,000 iterations.
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_iters=12000, rampup_interval=60, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
