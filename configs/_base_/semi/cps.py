# Cross pseudo supervision (Chen et al., CVPR 2021): two networks, hard labels of each other on all images, weight 1.5.
cps = dict(
    type='MultiBranchSemiSegmentor',
    num_branches=2,
    cross_pseudo=dict(type='CrossPseudoLoss', dice_share=0.0, loss_weight=1.5, ramp=False),
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
cps_hooks = [dict(type='SemiSupervisedHook', rampup_iters=0)]
