_base_ = 'synthetic.py'

train_dataloader = dict(dataset=dict(ann_file='splits/seed0/2pct_labeled.txt'))
unlabeled_dataset = dict(ann_file='splits/seed0/2pct_unlabeled.txt')
