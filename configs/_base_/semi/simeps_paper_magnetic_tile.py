_base_ = 'simeps_magnetic_tile.py'

# The released code on Magnetic Tile: lambda of 200 from the first step, w(t) in steps of 50 iterations.
semi_model = dict(similarity=dict(ramp=False, reference_batch=None))
semi_hooks = [dict(type='SemiSupervisedHook', rampup_iters=10000, rampup_interval=50, from_zero=False)]
