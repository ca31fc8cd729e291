_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/models/ensemble.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.ensemble)
