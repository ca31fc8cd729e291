"""A small experiment without a fault: files of four parts, and the config that names them."""

from pathlib import Path

import numpy as np
from mmengine.config import Config

from tests.helpers import save, tiny_branch, tiny_model

SIZE = 16
PARTS = ('labelled', 'unlabelled', 'val', 'test')


def image(part: str, index: int) -> np.ndarray:
    """Grey noise (h, w, 3), another for each part and index."""
    grey = np.random.default_rng([PARTS.index(part), index]).integers(0, 255, (SIZE, SIZE, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def mask() -> np.ndarray:
    """All three classes."""
    array = np.zeros((SIZE, SIZE), np.uint8)
    array[2:8, 3:9] = 1
    array[9:12, 3:9] = 2
    return array


def make(root: Path) -> Path:
    """Three images in each part, nothing wrong."""
    for part in PARTS:
        for index in range(3):
            save(root / f'{part}/images/{index}.png', image(part, index))
            if part != 'unlabelled':
                save(root / f'{part}/masks/{index}.png', mask())
    return root


def config(root: Path, **changes) -> Config:
    """An experiment on :func:`make`; ``changes`` replace parts of it."""

    def labelled(part, **options):
        prefix = dict(img_path=f'{part}/images', seg_map_path=f'{part}/masks')
        pipeline = [dict(type=kind) for kind in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
        meta = dict(classes=('background', 'crack', 'pit'), palette=[[0] * 3, [1] * 3, [2] * 3])
        common = dict(type='BaseSegDataset', data_root=str(root), img_suffix='.png', metainfo=meta)
        return dict(**common, data_prefix=prefix, pipeline=pipeline, **options)

    train_set = dict(type='LabeledUnlabeledDataset', labeled=labelled('labelled'), unlabeled=str(root / 'unlabelled'))
    sampler = dict(type='LabeledUnlabeledSampler', num_labeled=2, num_unlabeled=2)
    cfg = dict(
        default_scope='mmseg',
        custom_imports=dict(imports=['simeps_mmseg']),
        model=tiny_model(branch=tiny_branch(num_classes=3)),
        train_dataloader=dict(batch_size=4, num_workers=0, sampler=sampler, dataset=train_set),
        val_dataloader=dict(batch_size=1, num_workers=0, dataset=labelled('val')),
        test_dataloader=dict(batch_size=1, num_workers=0, dataset=labelled('test')),
    )
    return Config({**cfg, **changes})
