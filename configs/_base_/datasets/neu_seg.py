_base_ = 'defect.py'

source = dict(type='NEUSegDataset', data_root='data/neu_seg')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
