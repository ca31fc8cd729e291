# Cross pseudo supervision (Chen et al., CVPR 2021): two networks learn each other's hard labels on all images. Weight 1.5 on
# the mean over both parts of the batch in the released code, so 0.75 on each; half of that here, because the cross entropy
# of the labels is half of a branch's loss. The paper starts from pretrained networks; from scratch the full weight at the
# first step makes both predict nothing, hence the ramp.
semi_model = dict(
    type='MultiBranchSemiSegmentor',
    num_branches=2,
    cross_pseudo=dict(type='CrossPseudoLoss', dice_share=0.0, loss_weight=0.375, ramp=True),
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.4, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
