_base_ = 'synthetic.py'

# Per step as many unlabelled images as the supervised config has labelled ones. Another share of the labels:
# --cfg-options train_dataloader.dataset.split=splits/seed0/5pct
train_dataloader = dict(
    batch_size=8,
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=4, num_unlabeled=4),
    dataset=dict(
        _delete_=True,
        type='LabeledUnlabeledDataset',
        labeled=_base_.train_dataloader.dataset,
        split='splits/seed0/2pct',
    ),
)
