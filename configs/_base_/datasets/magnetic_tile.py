_base_ = 'defect.py'

source = dict(type='MagneticTileDataset', data_root='data/magnetic_tile')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
