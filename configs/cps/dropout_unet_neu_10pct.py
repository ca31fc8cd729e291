_base_ = ['../simeps/dropout_unet_neu_10pct.py', '../_base_/semi/cps.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.cps)
custom_hooks = _base_.cps_hooks
