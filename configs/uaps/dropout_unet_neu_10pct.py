# Network and number of iterations of the paper; the rate falls by a polynomial.
_base_ = [
    '../_base_/models/dropout_unet.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_48k.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/uaps.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
