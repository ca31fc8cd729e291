_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/neu_seg_5pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
