_base_ = ['../simeps/unet_magnetic_tile_10pct.py', '../_base_/semi/cps.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.cps)
custom_hooks = _base_.cps_hooks
