# FixMatch (Sohn et al., NeurIPS 2020) for segmentation, with CutMix, as in UniMatch's comparison. The weight is 1 there; half
# of that here, because the cross entropy of the labels is half of a branch's loss.
_base_ = '../views.py'

semi_model = dict(
    type='FixMatchSegmentor',
    pseudo=dict(type='ConfidentPseudoLoss', threshold=0.95, loss_weight=0.5),
    view={{_base_.strong_view}},
    cut_mix={{_base_.cut_mix}},
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_iters=0, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
