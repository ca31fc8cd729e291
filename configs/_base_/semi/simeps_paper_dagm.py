_base_ = 'simeps_dagm.py'

# The released code on DAGM: lambda of 200 from the first step, w(t) in steps of 60 iterations.
semi_model = dict(similarity=dict(ramp=False, reference_batch=None))
semi_hooks = [dict(type='SemiSupervisedHook', rampup_iters=12000, rampup_interval=60, from_zero=False)]
