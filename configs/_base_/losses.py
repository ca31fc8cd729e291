# What a branch learns from labels: half cross-entropy, half soft Dice, as in the paper. The models that stand beside others
# (segformer_b0.py, upernet_mmpretrain.py) write it again, because two bases must not have a name in common.
ce_dice = [dict(type='CrossEntropyLoss', loss_weight=0.5), dict(type='SoftDiceLoss', loss_weight=0.5)]
