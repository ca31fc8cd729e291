_base_ = 'simeps.py'

# The lambda that the paper uses on everything but NEU-Seg.
simeps = dict(similarity=dict(loss_weight=200.0))
