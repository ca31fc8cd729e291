_base_ = [
    '../_base_/models/efficientnet_lite0.py',
    '../_base_/datasets/neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
