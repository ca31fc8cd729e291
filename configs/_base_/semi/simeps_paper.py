_base_ = 'simeps.py'

# The recipe of the released code on NEU-Seg: lambda is 50 from the first step, w(t) changes every 150 steps for 30,000.
# On a short schedule the constant lambda costs accuracy, which is why simeps.py ramps it.
simeps = dict(similarity=dict(ramp=False))
custom_hooks = [dict(type='SemiSupervisedHook', rampup_iters=30000, rampup_interval=150)]
