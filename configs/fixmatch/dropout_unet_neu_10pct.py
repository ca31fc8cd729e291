_base_ = ['../simeps/dropout_unet_neu_10pct.py', '../_base_/semi/fixmatch.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.fixmatch)
custom_hooks = _base_.fixmatch_hooks
