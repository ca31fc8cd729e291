"""A training of one process goes on as two, and the reverse: the same images, augmented as they would have been."""

from itertools import chain
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

import simeps_mmseg  # noqa: F401 - registers the components, in the new processes too
from simeps_mmseg.apis.train import step_by_parts_in_processes
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.models.utils import replace_sync_bn
from tests.engine.test_distributed import StopAfter
from tests.helpers import experiment
from tests.processes import in_processes, leave, set_environment


class WatchImages(Hook):
    """Keeps name, labels and a sum of the augmented pixels of each image of each step."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, bool, int]]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        assert data_batch is not None
        self.seen.append(
            [
                (Path(sample.img_path).name, 'gt_sem_seg' in sample, int(image.long().sum()))
                for image, sample in zip(data_batch['inputs'], data_batch['data_samples'])
            ]
        )


def images_of(processes, root, folder, stop, resume=False):
    """Train until a step, four labelled and eight unlabelled images a step; what this process saw in each."""
    cfg = experiment(root, folder / 'run', max_iters=4, resume=resume, experiment_name=f'{folder.name}_{resume}')
    loader = cfg.train_dataloader
    loader.batch_size = 12 // processes
    loader.sampler.update(num_labeled=4 // processes, num_unlabeled=8 // processes)
    loader.dataset.labeled.pipeline[-1:-1] = [dict(type='RandomFlip', prob=0.5), dict(type='PhotoMetricDistortion')]
    replace_sync_bn(cfg.model)
    add_safe_hooks(cfg)
    cfg.launcher = 'pytorch' if processes > 1 else 'none'
    step_by_parts_in_processes(cfg)
    runner = Runner.from_cfg(cfg)
    images = WatchImages()
    runner.register_hook(images)
    runner.register_hook(StopAfter(stop))
    runner.train()
    return images.seen


def one_of_two(rank, port, root, run, stop, resume, folder):
    set_environment(rank, port, 2)
    torch.save(images_of(2, root, run, stop, resume), folder / f'{rank}.pth')
    leave()


@pytest.mark.parametrize('before', [1, 2])
def test_a_training_goes_on_with_another_number_of_processes(before, synthetic_root, tmp_path):
    def steps(processes, run, stop, resume=False):
        """Images of each step, of all processes together."""
        if processes == 1:
            found = [images_of(1, synthetic_root, run, stop, resume)]
        else:
            (tmp_path / 'seen').mkdir()
            found = in_processes(one_of_two, 2, synthetic_root, run, stop, resume, tmp_path / 'seen')
        return [sorted(chain(*together)) for together in zip(*found, strict=True)]

    now, run = 3 - before, tmp_path / f'begun_by_{before}'
    whole = steps(1, tmp_path / f'whole_{before}', stop=4)
    assert steps(before, run, stop=2) == whole[:2]
    assert steps(now, run, stop=4, resume=True) == whole[2:]
    log = ''.join(file.read_text() for file in run.glob('run/*/*.log'))
    assert f'the checkpoint has the generator states of {before} processes, and now there are {now}: ' in log
    assert 'images and their augmentation go on as they would have, views, CutMix and dropout are drawn anew' in log
    assert f'processes was {before} and is {now}' in log
