_base_ = ['../supervised/unet_neu_10pct.py', '../_base_/semi/simeps.py']

model = dict(_delete_=True, branch=_base_.model, **_base_.simeps)
train_dataloader = dict(
    batch_size=32,
    sampler=dict(_delete_=True, **_base_.semi_sampler),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[_base_.labeled_dataset, _base_.unlabeled_dataset],
    ),
)
