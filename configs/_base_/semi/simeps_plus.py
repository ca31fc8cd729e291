# simEps with moving averages of the branches as teachers, a strong view for each branch, CutMix, batch renormalization of what
# they see then, and five times the paper's weight on the pseudo-labels. Lambda is that of NEU-Seg on every data set. Each part
# is an option of the model: docs/methods.md; what each brings: docs/gains.md.
#
# Meant to start from a network that was trained on labels (load_from, make_semi --checkpoint): the averages have a constant,
# low momentum, as one that is high at first would leave that network at once; they average the statistics of batch norm as
# well. From nothing, labels are learned alone first.
_base_ = '../views.py'

semi_model = dict(
    type='TriBranchSemiSegmentor',
    teacher=dict(type='ExponentialMovingAverage', momentum=0.003, update_buffers=True),
    view={{_base_.strong_view}},
    cut_mix={{_base_.cut_mix}},
    batch_renorm=True,
    cross_pseudo=dict(type='CrossPseudoLoss', ensemble='mean', loss_weight=0.5),
    similarity=dict(
        type='SimilarityConsistencyLoss', stages=dict(logits=1.0), loss_weight=50.0, ramp=True, reference_batch=16
    ),
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.1, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
