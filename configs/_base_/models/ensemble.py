# Three networks that learn from the labels alone: what of a method with three networks is the ensemble's doing.
ensemble = dict(
    type='MultiBranchSemiSegmentor',
    num_branches=3,
    consistency_on_labeled=False,
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
