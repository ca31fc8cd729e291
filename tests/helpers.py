"""Small models, batches and data sets in the real layouts, for several test files."""

import copy
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from simeps_mmseg.datasets.labeled_unlabeled import parts_of

NUM_CLASSES = 4


def tiny_branch(num_classes: int = NUM_CLASSES, auxiliary: bool = False, **test_cfg) -> ConfigDict:
    """A two-stage U-Net that trains in milliseconds."""
    norm_cfg = dict(type='SyncBN', requires_grad=True)
    head = dict(
        type='FCNHead',
        in_channels=4,
        channels=4,
        num_convs=1,
        dropout_ratio=0.0,
        concat_input=False,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_weight=0.5),
            dict(type='SoftDiceLoss', loss_weight=0.5),
        ],
    )
    return ConfigDict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True, size_divisor=8
        ),
        backbone=dict(
            type='UNet',
            base_channels=4,
            num_stages=2,
            strides=(1, 1),
            enc_num_convs=(1, 1),
            dec_num_convs=(1,),
            downsamples=(True,),
            enc_dilations=(1, 1),
            dec_dilations=(1,),
            norm_cfg=norm_cfg,
        ),
        decode_head=dict(in_index=1, **head),
        auxiliary_head=dict(in_index=0, **{**head, 'in_channels': 8}) if auxiliary else None,
        test_cfg=test_cfg or dict(mode='whole'),
    )


def tiny_model(**changes) -> ConfigDict:
    """simEps around :func:`tiny_branch`."""
    model = dict(
        type='TriBranchSemiSegmentor',
        branch=tiny_branch(),
        cross_pseudo=dict(type='CrossPseudoLoss'),
        similarity=dict(type='SimilarityConsistencyLoss'),
    )
    return ConfigDict({**model, **changes})


def make_samples(count: int, labeled: bool, size: tuple[int, int] = (16, 16)) -> list[SegDataSample]:
    """Samples as ``PackSegInputs`` and the preprocessor leave them."""
    samples = []
    for _ in range(count):
        sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size, padding_size=[0] * 4))
        if labeled:
            sample.gt_sem_seg = PixelData(data=torch.randint(0, NUM_CLASSES, (1, *size)))
        samples.append(sample)
    return samples


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def make_neu(folder: Path, train: int = 40, test: int = 6, size: int = 32) -> Path:
    """NEU_Seg-main as GitHub packs it."""
    rng = np.random.default_rng(0)
    root = folder / 'NEU_Seg-main'
    for subset, count in (('training', train), ('test', test)):
        for index in range(count):
            mask = np.zeros((size, size), np.uint8)
            mask[4:14, 6:20] = index % 3 + 1
            grey = (rng.integers(60, 100, (size, size)) + 40 * mask).astype(np.uint8)
            save(root / f'images/{subset}/{index + 1:06d}.jpg', np.repeat(grey[..., None], 3, axis=2))
            save(root / f'annotations/{subset}/{index + 1:06d}.png', mask)
    (root / 'README.md').write_text('# NEU_Seg')
    return root


def make_magnetic_tile(folder: Path, per_kind: int = 8) -> Path:
    """Magnetic-tile-defect-datasets.-master: sizes vary, mask edges are soft, one Uneven mask is empty."""
    rng = np.random.default_rng(0)
    root = folder / 'Magnetic-tile-defect-datasets.-master'
    for kind in ('Blowhole', 'Break', 'Crack', 'Fray', 'Free', 'Uneven'):
        for index in range(per_kind):
            height, width = (int(v) for v in rng.integers(40, 70, 2))
            mask = np.zeros((height, width), np.uint8)
            if kind != 'Free' and (kind, index) != ('Uneven', 0):
                mask[10:20, 10:24] = 255
                mask[20, 10:24] = 90
                mask[21, 10:24] = 128
            stem = root / f'MT_{kind}/Imgs/exp{index}_num_{int(rng.integers(1000, 9999))}{index}'
            save(stem.with_suffix('.jpg'), rng.integers(0, 255, (height, width)).astype(np.uint8))
            save(stem.with_suffix('.png'), mask)
    return root


def make_dagm(folder: Path, per_class: int = 8, defective: int = 6, size: int = 32) -> Path:
    """DAGM2007: labels for the first ``defective`` images of each folder only."""
    rng = np.random.default_rng(0)
    root = folder / 'DAGM2007'
    for k in range(1, 11):
        for subset in ('Train', 'Test'):
            directory = root / f'Class{k}/{subset}'
            for index in range(1, per_class + 1):
                save(directory / f'{index:04d}.PNG', rng.integers(0, 255, (size, size)).astype(np.uint8))
                if index <= defective:
                    mask = np.zeros((size, size), np.uint8)
                    mask[5:15, 5:18] = 255
                    save(directory / f'Label/{index:04d}_label.PNG', mask)
            (directory / 'Label/Labels.txt').write_text('1\n1\t1\t0001.PNG\t1\t0001_label.PNG\n')
    return root


def with_concat_dataset(cfg: Config) -> Config:
    """The experiment with its two training sets written out in a ``ConcatDataset``, each with its own pipeline."""
    init_default_scope('mmseg')
    labeled, unlabeled = parts_of(cfg.train_dataloader.dataset)
    keys = ['classes', 'palette', 'label_map', 'reduce_zero_label']
    written = dict(type='ConcatDataset', datasets=[labeled, unlabeled], ignore_keys=keys)
    cfg.train_dataloader.dataset = ConfigDict(copy.deepcopy(written))
    return cfg


def experiment(data_root: Path, work_dir: Path, semi: bool = True, max_iters: int = 4, **changes) -> Config:
    """A whole config on the synthetic set below ``data_root``, with tiny networks."""
    with_masks = [dict(type=kind) for kind in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
    source = dict(type='SyntheticDefectDataset', data_root=str(data_root / 'synthetic'))

    def dataset(split):
        prefix = dict(img_path='images', seg_map_path='annotations')
        return dict(**source, data_prefix=prefix, ann_file=split, pipeline=with_masks)

    def evaluation(split):
        sampler = dict(type='DefaultSampler', shuffle=False)
        return dict(batch_size=1, num_workers=0, sampler=sampler, dataset=dataset(split))

    labeled = dataset('splits/seed0/25pct_labeled.txt')
    if semi:
        train = dict(
            batch_size=6,
            num_workers=0,
            sampler=dict(type='LabeledUnlabeledSampler', num_labeled=2, num_unlabeled=4),
            dataset=dict(
                type='LabeledUnlabeledDataset',
                labeled=labeled,
                unlabeled=dict(ann_file='splits/seed0/25pct_unlabeled.txt'),
            ),
        )
    else:
        train = dict(batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler'), dataset=labeled)
    cfg = dict(
        default_scope='mmseg',
        custom_imports=dict(imports=['simeps_mmseg']),
        model=tiny_model(test_cfg=dict(branch_predictions=True)) if semi else tiny_branch(),
        train_dataloader=train,
        val_dataloader=evaluation('splits/seed0/val.txt'),
        test_dataloader=evaluation('splits/test.txt'),
        val_evaluator=dict(type='DefectIoUMetric'),
        test_evaluator=dict(type='DefectIoUMetric'),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
        param_scheduler=[dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=max_iters, by_epoch=False)],
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        default_hooks=dict(
            timer=dict(type='IterTimerHook'),
            logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
            param_scheduler=dict(type='ParamSchedulerHook'),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
            sampler_seed=dict(type='DistSamplerSeedHook'),
            visualization=dict(type='SegVisualizationHook'),
        ),
        custom_hooks=[dict(type='SemiSupervisedHook', rampup_share=1.0, rampup_interval=1, health_interval=2)]
        if semi
        else [],
        visualizer=dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        log_processor=dict(by_epoch=False),
        randomness=dict(seed=0),
        env_cfg=dict(cudnn_benchmark=False),
        launcher='none',
        work_dir=str(work_dir),
    )
    return Config({**cfg, **changes})
