_base_ = 'simeps.py'

# The recipe of the released code on NEU-Seg: lambda is 50 from the first step. That is strong where the
# branches know nothing yet, which is why simeps.py ramps it like w(t).
semi_model = dict(similarity=dict(ramp=False, reference_batch=None))
semi_hooks = [dict(type='SemiSupervisedHook', rampup_iters=30000, rampup_interval=150, from_zero=False)]
