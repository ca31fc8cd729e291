_base_ = ['../supervised/dropout_unet_neu_10pct.py', '../_base_/models/ensemble.py']

model = dict(_delete_=True, branch=_base_.model, **_base_.ensemble)
