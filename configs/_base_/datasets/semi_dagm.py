_base_ = 'dagm.py'

# Per step as many unlabelled images as the supervised config has labelled ones. Another share of the labels:
# --cfg-options train_dataloader.dataset.split=splits/seed0/5pct
train_dataloader = dict(
    batch_size=32,
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=16, num_unlabeled=16),
    dataset=dict(
        _delete_=True,
        type='LabeledUnlabeledDataset',
        labeled=_base_.train_dataloader.dataset,
        split='splits/seed0/10pct',
    ),
)
