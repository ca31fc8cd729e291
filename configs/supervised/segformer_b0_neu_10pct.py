_base_ = [
    '../_base_/models/segformer_b0.py',
    '../_base_/datasets/neu_seg.py',
    '../_base_/schedules/schedule_20k_adamw.py',
    '../_base_/default_runtime.py',
]

model = _base_.segformer_b0
