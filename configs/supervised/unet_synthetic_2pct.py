_base_ = [
    '../_base_/models/unet_synthetic.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/demo_runtime.py',
]
