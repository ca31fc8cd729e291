_base_ = [
    '../_base_/models/unet_magnetic_tile.py',
    '../_base_/datasets/magnetic_tile.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/models/ensemble.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.ensemble)
