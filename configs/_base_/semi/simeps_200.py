_base_ = 'simeps.py'

# The lambda that the paper uses on everything but NEU-Seg.
semi_model = dict(similarity=dict(loss_weight=200.0))
