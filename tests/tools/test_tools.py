"""The command line, as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

from simeps_mmseg.apis.test import test as score
from simeps_mmseg.apis.test import write_results
from simeps_mmseg.apis.train import train
from simeps_mmseg.utils import UserError
from tests.conftest import ROOT
from tests.helpers import experiment
from tests.processes import run_tool

# Runs Python files in forks of an interpreter that has imported nothing of this package and of MMSegmentation's models.
ENDED = '=== ended ==='
ONE_AFTER_THE_OTHER = f"""
import json, os, runpy, sys
import mmcv.transforms, mmengine.runner, mmengine.visualization, mmseg.registry, torch._dynamo
assert 'simeps_mmseg' not in sys.modules
for command in json.loads(sys.argv[1]):
    if not os.fork():
        os.dup2(1, 2)
        sys.argv = command
        runpy.run_path(command[0], run_name='__main__')
        sys.exit()
    assert os.wait()[1] == 0, command
    print({ENDED!r}, flush=True)
"""


def run(*command, cwd=ROOT, check=True, fresh=False):
    """Run a tool; fresh: in an interpreter that has imported nothing yet."""
    if fresh:
        done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True)
    else:
        done = run_tool(*command, cwd=cwd)
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done


@pytest.fixture
def config(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run')
    flips = [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0, direction='horizontal')]
    cfg.tta_pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='TestTimeAug', transforms=[flips, [dict(type='LoadAnnotations')], [dict(type='PackSegInputs')]]),
    ]
    cfg.tta_model = dict(type='SegTTAModel')
    path = tmp_path / 'config.py'
    cfg.dump(path)
    return path


def test_train_resume_test(config, tmp_path):
    run('tools/train.py', config, '--cfg-options', 'train_cfg.max_iters=2', fresh=True)
    assert (tmp_path / 'run/iter_2.pth').exists()
    resumed = run('tools/train.py', config, '--resume')
    assert 'resumed epoch: 0, iter: 2' in resumed.stdout + resumed.stderr
    checkpoint = tmp_path / 'run/iter_4.pth'
    tested = run('tools/test.py', config, checkpoint, '--out', tmp_path / 'masks', '--show-dir', tmp_path / 'shown')
    assert 'branch_2.mIoU_image' in tested.stdout + tested.stderr
    masks = list((tmp_path / 'masks').glob('*.png'))
    assert len(masks) == 6
    assert np.asarray(Image.open(masks[0])).shape == (32, 32)
    assert list((tmp_path / 'shown').rglob('*.png'))
    augmented = run('tools/test.py', config, checkpoint, '--tta')
    assert 'mIoU_image' in augmented.stdout + augmented.stderr


def test_amp_on_the_cpu(config):
    done = run('tools/train.py', config, '--amp', '--cfg-options', 'train_cfg.max_iters=1')
    assert 'BFloat16OptimWrapper' in done.stdout + done.stderr


def test_simeps_command(tmp_path):
    done = run(ROOT / 'simeps_cli.py', 'prepare_data', 'synthetic', '--num-train', 12, '--num-test', 2, cwd=tmp_path)
    assert 'data/synthetic, splits of seed 0' in done.stdout
    assert (tmp_path / 'data/synthetic/splits/seed0/5pct_labeled.txt').exists()
    unknown = run(ROOT / 'simeps_cli.py', 'tarin', check=False)
    assert unknown.returncode == 2
    assert 'usage: simeps {' in unknown.stderr
    assert 'simeps has no tool tarin; did you mean train?' in unknown.stderr


class TestErrors:
    def fails(self, *command, **kwargs):
        done = run(*command, check=False, **kwargs)
        assert done.returncode == 1
        assert 'Traceback' not in done.stderr
        return done.stderr

    def test_missing_config(self):
        message = self.fails('tools/train.py', 'configs/simeps/deeplabv3_neu_10pc.py')
        assert 'config configs/simeps/deeplabv3_neu_10pc.py is not there; did you mean' in message
        assert 'simeps/deeplabv3_neu_10pct.py' in message

    def test_missing_data(self, tmp_path):
        message = self.fails(ROOT / 'tools/train.py', ROOT / 'configs/simeps/unet_neu_10pct.py', cwd=tmp_path)
        assert 'data/neu_seg/images (train_dataloader.dataset.labeled.data_prefix.img_path)' in message
        assert 'data/neu_seg/splits/seed0/10pct_unlabeled.txt' in message
        assert 'simeps prepare_data neu NEU_Seg-main.zip' in message

    def test_missing_checkpoint(self, config, tmp_path):
        assert 'checkpoint nowhere.pth is not there' in self.fails('tools/test.py', config, 'nowhere.pth')

    def test_a_checkpoint_of_another_model(self, synthetic_root, config, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'plain', semi=False)
        for part in (cfg.model.backbone, cfg.model.decode_head):
            part.norm_cfg.type = 'BN'
        torch.save(dict(meta={}, state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'twin.pth')
        with pytest.raises(UserError, match=r'not of the model in the config; weights: .* missing \(branches.0.'):
            score(str(config), str(tmp_path / 'twin.pth'))
        own = {**MODELS.build(Config.fromfile(config).model).state_dict(), 'auxiliary_head.weight': torch.zeros(1)}
        torch.save(dict(meta={}, state_dict=own), tmp_path / 'more.pth')
        assert 'mIoU' in score(str(config), str(tmp_path / 'more.pth'))
        (tmp_path / 'cut.pth').write_bytes((tmp_path / 'twin.pth').read_bytes()[:1000])
        with pytest.raises(UserError, match=r'cut\.pth cannot be loaded'):
            score(str(config), str(tmp_path / 'cut.pth'))

    def test_configs_with_mistakes(self, config, tmp_path):
        (tmp_path / 'lost.py').write_text("_base_ = 'nowhere.py'\n")
        with pytest.raises(UserError, match=r'lost\.py cannot be read: FileNotFoundError'):
            train(str(tmp_path / 'lost.py'))
        for option, message in (
            ('train_dataloader.sampler.num_labeled=0', 'num_labeled must be an integer of 1 or more, got 0'),
            ('custom_hooks.0.rampup_iters=-1', 'SemiSupervisedHook.rampup_iters must be'),
            ('model.test_cfg.predict_on=7', 'predict_on must be one of'),
            ('model.branch.decode_head.chanels=4', r'model\.branch\.decode_head\.chanels: .* unexpected keyword'),
            ('optim_wrapper.optimizer.lrr=1', r'optim_wrapper\.optimizer\.lrr: .* unexpected keyword'),
            (
                'model.branch.decode_head.type=FCMHead',
                r'decode_head\.type: FCMHead is not in the mmseg::model registry',
            ),
        ):
            with pytest.raises(UserError, match=message):
                train(str(config), options=[option])

    def test_nothing_to_test_on(self, config, tmp_path):
        cfg = Config.fromfile(config)
        for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
            cfg.pop(key)
        cfg.dump(tmp_path / 'untested.py')
        torch.save(dict(state_dict={}), tmp_path / 'any.pth')
        with pytest.raises(UserError, match='has no test_dataloader: there is nothing'):
            score(str(tmp_path / 'untested.py'), str(tmp_path / 'any.pth'))

    def test_what_writes_results_is_found_among_several_metrics(self):
        cfg = Config(dict(test_evaluator=[dict(type='DumpResults'), dict(type='DefectIoUMetric')]))
        write_results(cfg, 'masks')
        assert cfg.test_evaluator[1] == dict(type='DefectIoUMetric', output_dir='masks', keep_results=True)
        with pytest.raises(UserError, match='test_evaluator has neither'):
            write_results(Config(dict(test_evaluator=dict(type='DumpResults'))), 'masks')

    @pytest.mark.parametrize(
        ('key', 'message'),
        [
            (
                'optim_wrapper',
                'optim_wrapper is not there: a config has all or none of train_dataloader, train_cfg, opt',
            ),
            (
                'test_evaluator',
                'test_evaluator is not there: a config has all or none of test_dataloader, test_cfg, test',
            ),
        ],
    )
    def test_a_part_without_its_companions(self, key, message, config, tmp_path):
        cfg = Config.fromfile(config)
        cfg.pop(key)
        cfg.dump(tmp_path / 'partly.py')
        torch.save(dict(state_dict={}), tmp_path / 'any.pth')
        with pytest.raises(UserError, match=message):
            score(str(tmp_path / 'partly.py'), str(tmp_path / 'any.pth'))

    def test_missing_pretrained_weights(self, synthetic_root, tmp_path):
        cfg = experiment(synthetic_root, tmp_path / 'run')
        cfg.model.branch.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
        cfg.dump(tmp_path / 'config.py')
        message = self.fails('tools/train.py', tmp_path / 'config.py')
        assert 'weights.pth (model.branch.backbone.init_cfg.checkpoint) cannot be loaded' in message
        assert '--from-scratch' in message
        run('tools/train.py', tmp_path / 'config.py', '--from-scratch', '--cfg-options', 'train_cfg.max_iters=1')

    def test_wrong_option(self, config):
        assert 'takes key=value pairs, got max_iters' in self.fails(
            'tools/train.py', config, '--cfg-options', 'max_iters'
        )

    def test_experiment_that_cannot_train(self, config):
        message = self.fails('tools/train.py', config, '--cfg-options', 'train_dataloader.batch_size=9')
        assert 'batch_size=9, but the sampler draws' in message

    def test_bad_download(self, tmp_path):
        assert 'is not there' in self.fails('tools/prepare_data.py', 'neu', tmp_path / 'none.zip')


def test_from_an_ordinary_mmseg_config(synthetic_root, tmp_path):
    """MMSeg's own tools run a config that imports the package: its data set, loss, metric, then the whole segmentor."""
    import mmseg

    tools = Path(mmseg.__file__).parent / '.mim/tools'
    commands = []
    for semi in (False, True):
        cfg = experiment(synthetic_root, tmp_path / f'semi_{semi}', semi=semi)
        if not semi:  # MMSeg's own tools leave SyncBN as it is, and the CPU has none
            for part in (cfg.model.backbone, cfg.model.decode_head):
                part.norm_cfg.type = 'BN'
        path = tmp_path / f'semi_{semi}.py'
        cfg.dump(path)
        commands += [tools / 'train.py', path], [tools / 'test.py', path, tmp_path / f'semi_{semi}/iter_4.pth']
    parts = run('-c', ONE_AFTER_THE_OTHER, json.dumps(commands, default=str), cwd=tmp_path, fresh=True).stdout.split(
        ENDED
    )
    assert len(parts) == len(commands) + 1
    for semi, done in zip((False, True), parts[1::2]):
        assert 'mIoU_image' in done
        scores = json.loads(next((tmp_path / f'semi_{semi}').glob('*/*.json')).read_text().splitlines()[-1])
        assert ('branch_1.mIoU' in scores) == semi
        assert os.listdir(tmp_path / f'semi_{semi}')
