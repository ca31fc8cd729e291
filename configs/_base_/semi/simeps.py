# simEps (Sime et al. 2022), to be wrapped around a branch: model = dict(**_base_.semi_model, branch=_base_.model).
# Both unsupervised weights follow w(t), which is full after the same share of the schedule as in the paper (30,000 of 48,000
# iterations). (The released code has lambda constant: simeps_paper.py.)
semi_model = dict(
    type='TriBranchSemiSegmentor',
    cross_pseudo=dict(type='CrossPseudoLoss', ensemble='max', loss_weight=0.1),
    similarity=dict(
        type='SimilarityConsistencyLoss', stages=dict(logits=1.0), loss_weight=50.0, ramp=True, reference_batch=16
    ),
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.625, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
