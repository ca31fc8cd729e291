_base_ = [
    '../_base_/models/unet_synthetic.py',
    '../_base_/datasets/semi_synthetic.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/demo_runtime.py',
    '../_base_/semi/simeps.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
