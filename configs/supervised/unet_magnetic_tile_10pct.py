_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/magnetic_tile_10pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]

model = dict(decode_head=dict(num_classes=6))
