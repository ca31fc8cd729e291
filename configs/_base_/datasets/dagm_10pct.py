_base_ = 'dagm.py'

train_dataloader = dict(dataset=dict(ann_file='splits/seed0/10pct_labeled.txt'))
unlabeled_dataset = dict(ann_file='splits/seed0/10pct_unlabeled.txt')
