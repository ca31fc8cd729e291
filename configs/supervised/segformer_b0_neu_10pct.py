_base_ = [
    '../_base_/models/segformer_b0.py',
    '../_base_/datasets/neu_seg_10pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]

model = _base_.segformer_b0
# Transformers want a smaller step than the U-Net, and decay.
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01))
