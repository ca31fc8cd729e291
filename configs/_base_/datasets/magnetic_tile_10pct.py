_base_ = 'magnetic_tile.py'

train_dataloader = dict(dataset=dict(ann_file='splits/seed0/10pct_labeled.txt'))
unlabeled_dataset = dict(ann_file='splits/seed0/10pct_unlabeled.txt')
