# UniMatch (Yang et al., CVPR 2023): two strong views and perturbed features. The weight as in fixmatch.py.
_base_ = '../views.py'

semi_model = dict(
    type='UniMatchSegmentor',
    feature_dropout=0.5,
    pseudo=dict(type='ConfidentPseudoLoss', threshold=0.95, loss_weight=0.5),
    view={{_base_.strong_view}},
    cut_mix={{_base_.cut_mix}},
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_iters=0, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
