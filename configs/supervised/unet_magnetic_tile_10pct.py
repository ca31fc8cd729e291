_base_ = [
    '../_base_/models/unet_magnetic_tile.py',
    '../_base_/datasets/magnetic_tile.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
