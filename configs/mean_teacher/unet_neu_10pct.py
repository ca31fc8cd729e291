_base_ = ['../simeps/unet_neu_10pct.py', '../_base_/semi/mean_teacher.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.mean_teacher)
custom_hooks = _base_.mean_teacher_hooks
