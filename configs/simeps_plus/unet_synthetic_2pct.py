_base_ = ['../simeps/unet_synthetic_2pct.py', '../_base_/semi/simeps_plus.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.simeps_plus)
custom_hooks = _base_.simeps_plus_hooks
