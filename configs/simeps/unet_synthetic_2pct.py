_base_ = ['../supervised/unet_synthetic_2pct.py', '../_base_/semi/simeps.py']

model = dict(_delete_=True, branch=_base_.model, **_base_.simeps)

# As many unlabelled images per step as the supervised config has labelled ones.
batch = _base_.train_dataloader.batch_size
train_dataloader = dict(
    batch_size=2 * batch,
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=batch, num_unlabeled=batch),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[_base_.train_dataloader.dataset, _base_.unlabeled_dataset],
    ),
)
