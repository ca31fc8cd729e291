# Mean Teacher (Tarvainen and Valpola, NeurIPS 2017): averages with 0.99, faster at first; squared difference of softmax maps.
_base_ = '../views.py'

semi_model = dict(
    type='MeanTeacherSegmentor',
    consistency=dict(type='SoftmaxMSELoss', loss_weight=1.0, ramp=True),
    teacher=dict(type='MomentumAnnealingEMA', momentum=0.01, gamma=1),
    view={{_base_.strong_view}},
)
semi_hooks = [
    dict(type='SemiSupervisedHook', rampup_share=0.4, rampup_interval=1, labels_only_share=0.25),
    dict(type='LabelsOnlyGuardHook'),
]
