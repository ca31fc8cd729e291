_base_ = 'simeps.py'

# What the released code changes on DAGM: lambda of 200, similarity of the features of encoder and decoder in place of the
# logits, and w(t) at full weight after 12,000 of 23,970 iterations.
semi_model = dict(
    similarity=dict(stages=dict(_delete_=True, encoder=1.0, decoder=1.0), loss_weight=200.0),
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.5, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
