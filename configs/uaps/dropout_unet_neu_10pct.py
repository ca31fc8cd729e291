_base_ = ['../simeps/dropout_unet_neu_10pct.py', '../_base_/semi/uaps.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.uaps)
custom_hooks = _base_.uaps_hooks
