_base_ = 'neu_seg.py'

train_dataloader = dict(dataset=dict(ann_file='splits/seed0/50pct_labeled.txt'))
unlabeled_dataset = dict(ann_file='splits/seed0/50pct_unlabeled.txt')
