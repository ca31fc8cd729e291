_base_ = 'defect.py'

source = dict(type='DAGMDataset', data_root='data/dagm')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
