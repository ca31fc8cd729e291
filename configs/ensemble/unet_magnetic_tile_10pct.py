_base_ = '../supervised/unet_magnetic_tile_10pct.py'

# Three networks that learn from the labels alone: what of a method with three networks is the ensemble's doing.
model = dict(
    _delete_=True,
    type='MultiBranchSemiSegmentor',
    num_branches=3,
    branch=_base_.model,
    consistency_on_labeled=False,
    test_cfg=dict(predict_on='ensemble', branch_predictions=True),
)
