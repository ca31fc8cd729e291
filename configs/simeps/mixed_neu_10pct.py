# Three different networks teach each other: a CNN, a transformer and a backbone of mmpretrain. The labels-only twin is that of
# the first.
_base_ = [
    '../supervised/deeplabv3plus_neu_10pct.py',
    '../_base_/models/segformer_b0.py',
    '../_base_/models/upernet_mmpretrain.py',
    '../_base_/semi/simeps.py',
]
custom_imports = dict(imports=['simeps_mmseg', 'mmpretrain.models'])

model = dict(
    _delete_=True,
    branches=[_base_.model, _base_.segformer_b0, _base_.upernet_convnext_t],
    **_base_.simeps,
)
# Each as it trains alone: the CNN with Adam's 1e-3, the others with a tenth of it.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'branches.1': dict(lr_mult=0.1), 'branches.2': dict(lr_mult=0.1)}),
)

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
