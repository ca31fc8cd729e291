_base_ = 'schedule_48k.py'

# The released code on NEU-Seg: a tenth of the rate once 51 validations in a row, one every 59 iterations, bring nothing.
# Here validation comes every 1,000 iterations; three in a row are as long. (mmengine counts validations by "epoch".)
plateau = dict(type='ReduceOnPlateauLR', monitor='mIoU_fg', rule='greater', factor=0.1, patience=2, by_epoch=True)
param_scheduler = [dict(**plateau, min_value=1e-7)]
