# UAPS (Sime et al., Computers in Industry 2023) with whole networks as branches; there they are decoders on one encoder.
semi_model = dict(
    type='MultiBranchSemiSegmentor',
    num_branches=3,
    cross_pseudo=dict(type='UncertaintyMixedLoss', loss_weight=0.1),
    consistency_on_labeled=False,
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=1 / 3, labels_only_share=0.25),  # 16,000 of 48,000 iterations
    dict(type='LabelsOnlyGuardHook'),
]
