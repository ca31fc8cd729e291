"""The tools that draw, on tiny trained models."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from simeps_mmseg.apis.compare_predictions import compare_predictions, method_labels
from simeps_mmseg.apis.plot_log import plot_log
from simeps_mmseg.apis.visualize_similarity import (
    logged_ramp,
    similarity_weight,
    visualize_similarity,
    visualize_similarity_log,
)
from simeps_mmseg.inference.comparison import choose_images
from simeps_mmseg.inference.evaluation_images import EvaluationImages
from simeps_mmseg.inference.similarity_maps import similarity_maps
from simeps_mmseg.inference.trained_model import TrainedModel
from simeps_mmseg.models.losses import similarity_consistency
from simeps_mmseg.models.utils import forward_unlabeled
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.configs import load_config
from simeps_mmseg.visualization.training_log import TrainingLog
from tests.conftest import ROOT
from tests.helpers import experiment

NAN = float('nan')


@pytest.fixture(scope='module')
def trained(synthetic_root, tmp_path_factory) -> dict[str, tuple[str, str]]:
    """Config and checkpoint of a semi-supervised and of a labels-only run of two iterations."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    found = {}
    for name, semi in (('semi', True), ('plain', False)):
        work_dir = tmp_path_factory.mktemp(name)
        cfg = experiment(synthetic_root, work_dir, semi=semi, max_iters=2)
        if not semi:
            for part in (cfg.model.backbone, cfg.model.decode_head):
                part.norm_cfg.type = 'BN'
        cfg.visualizer.pop('name')
        cfg.dump(work_dir / 'config.py')
        Runner.from_cfg(cfg).train()
        found[name] = str(work_dir / 'config.py'), str(work_dir / 'iter_2.pth')
    return found


def tool(monkeypatch, name: str, *arguments) -> int:
    """Run a tool in this process, which costs no second import of PyTorch."""
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    return runpy.run_path(str(ROOT / f'tools/{name}.py'), run_name='tool')['main']()


def sides(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


class TestNamesOfImages:
    @pytest.fixture
    def images(self, trained, synthetic_root, tmp_path):
        """Two folders with a file of the same name."""
        for kind in ('images', 'annotations'):
            file = next((synthetic_root / 'synthetic' / kind / 'test').iterdir())
            for name in ('a/0', 'a/1', 'b/1'):
                (tmp_path / kind / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, tmp_path / kind / f'{name}.png')
        cfg = load_config(trained['plain'][0])
        dataset = cfg.test_dataloader.dataset
        dataset.update(data_root=str(tmp_path), ann_file='')
        return EvaluationImages(cfg)

    def test_names_and_paths(self, images):
        assert images.indices(['0', '0.png', str(images.paths[2])]) == [0, 0, 2]

    def test_a_name_of_several(self, images):
        with pytest.raises(
            UserError, match=r'1 is the name of several images; give the path of one: .*a/1.png, .*b/1.png'
        ):
            images.indices(['0', '1'])


class TestComparePredictions:
    def test_two_methods(self, trained, tmp_path):
        configs, checkpoints = zip(*trained.values())
        for choice, options in (('random', {}), ('worst', dict(by='simEps', errors=True))):
            files = compare_predictions(
                configs,
                checkpoints,
                labels=['simEps', 'labels only'],
                out=tmp_path / choice,
                **{choice: 2},
                **options,
            )
            assert [file.suffix for file in files] == ['.png', '.pdf']
            assert files[1].read_bytes().startswith(b'%PDF')
            width, height = sides(files[0])
            assert width == 4 * 2 * 150
            assert height > 600

    def test_command_line(self, trained, tmp_path, capsys, monkeypatch):
        config, checkpoint = trained['plain']
        out = tmp_path / 'picture.png'
        arguments = ['--checkpoints', checkpoint, '--names', '00000', '--dpi', '50', '--out', out]
        assert tool(monkeypatch, 'compare_predictions', config, *arguments) == 0
        assert f'pictures: {out}' in capsys.readouterr().out
        assert sides(out)[0] == 3 * 2 * 50
        assert out.with_suffix('.pdf').exists()

    def test_what_does_not_fit(self, trained, tmp_path):
        config, checkpoint = trained['plain']
        with pytest.raises(UserError, match='2 configs and 1 checkpoints'):
            compare_predictions([config, config], [checkpoint])
        with pytest.raises(UserError, match='nobody: the columns are called ours'):
            compare_predictions([config], [checkpoint], labels=['ours'], by='nobody')
        with pytest.raises(UserError, match=r'99: not among the 6 images .* such as 0000'):
            compare_predictions([config], [checkpoint], names=['99'])
        with pytest.raises(UserError, match='is not of the model in'):
            compare_predictions([trained['semi'][0]], [checkpoint])
        with pytest.raises(UserError, match=r'iter_9.pth is not there; in .* there are iter_2.pth'):
            compare_predictions([config], [checkpoint.replace('iter_2', 'iter_9')])

    def test_a_mask_of_another_size_is_named(self, trained, tmp_path, synthetic_root):
        config, checkpoint = trained['plain']
        shutil.copytree(synthetic_root / 'synthetic', tmp_path / 'data')
        Image.new('L', (8, 8)).save(tmp_path / 'data/annotations/test/00003.png')
        option = f'test_dataloader.dataset.data_root={tmp_path / "data"}'
        with pytest.raises(UserError, match=r'00003\.png or its mask cannot be used'):
            compare_predictions([config], [checkpoint], worst=1, options=[option])

    def test_a_device_that_is_not_there(self, trained):
        config, checkpoint = trained['plain']
        with pytest.raises(UserError, match='--device nonsense'):
            compare_predictions([config], [checkpoint], device='nonsense')

    def test_columns_get_different_names(self):
        assert method_labels([None], ['runs/a/x.pth', 'runs/b/x.pth'], None) == ['a', 'b']
        assert method_labels([None], ['a/x.pth', 'a/y.pth'], None) == ['a/x', 'a/y']
        with pytest.raises(UserError, match='1 labels for 2 checkpoints'):
            method_labels([None], ['x.pth', 'y.pth'], ['only'])
        with pytest.raises(UserError, match='need different names'):
            method_labels([None], ['x.pth', 'y.pth'], ['same', 'same'])

    def test_choice(self):
        scores = [0.5, NAN, 0.9, 0.1, 0.9]
        assert choose_images(scores, 'best', 3) == [2, 4, 0]
        assert choose_images(scores, 'worst', 9) == [3, 0, 2, 4]
        chosen = choose_images(scores, 'random', 3, seed=1)
        assert chosen == sorted(choose_images(scores, 'random', 3, seed=1))
        assert 1 not in choose_images(scores, 'random', 5)

    def test_ground_truth_is_that_of_the_file(self, trained, synthetic_root):
        images = EvaluationImages(Config.fromfile(trained['plain'][0]))
        path = synthetic_root / 'synthetic/annotations/test' / f'{images.paths[0].stem}.png'
        assert np.array_equal(images.target(0), np.asarray(Image.open(path)))
        assert images.image(0).shape == (32, 32, 3)


class TestSimilarity:
    def test_picture(self, trained, tmp_path):
        for name in trained:
            png, _ = visualize_similarity(*trained[name], out=tmp_path / name, count=4)
            assert png.exists()
        assert sides(tmp_path / 'semi.png')[0] > 2 * sides(tmp_path / 'plain.png')[0]

    def test_maps_are_those_of_the_loss(self, trained):
        cfg = Config.fromfile(trained['semi'][0])
        model = TrainedModel(cfg, trained['semi'][1])
        images = EvaluationImages(cfg)
        maps = similarity_maps(model, images.paths[:3])
        data = [model.prepare(path) for path in images.paths[:3]]
        ready = model.model.data_preprocessor(
            dict(inputs=[d['inputs'] for d in data], data_samples=[d['data_samples'] for d in data])
        )
        metas = [sample.metainfo for sample in ready['data_samples']]
        with torch.no_grad():
            outputs = [forward_unlabeled(branch, ready['inputs'], metas) for branch in model.model.branches]
        for stage in ('encoder', 'decoder', 'logits'):
            expected = similarity_consistency([output.stage(stage) for output in outputs], 'none')
            a, b, c = maps[stage]
            found = [np.mean((x - y) ** 2) for x, y in ((a, b), (a, c), (b, c))]
            assert found == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-9)

    def test_one_image_is_no_batch(self, trained):
        with pytest.raises(UserError, match='--count must be 2 or more'):
            visualize_similarity(*trained['semi'], count=1)

    def test_logged_distance_without_its_weights(self, trained, tmp_path, capsys):
        work_dir = Path(trained['semi'][0]).parent
        visualize_similarity_log(str(work_dir), tmp_path / 'log')
        assert 'divided by its weights' in capsys.readouterr().out
        (file,) = work_dir.glob('*/vis_data/2*.json')
        (tmp_path / 'alone.json').write_text(file.read_text())
        visualize_similarity_log(str(tmp_path / 'alone.json'), tmp_path / 'log')
        assert 'as logged' in capsys.readouterr().out
        with pytest.raises(UserError, match=r'without model.similarity'):
            visualize_similarity_log(str(Path(trained['plain'][0]).parent))

    def test_command_line(self, trained, tmp_path, capsys, monkeypatch):
        arguments = [*trained['semi'], '--count', 3, '--dpi', 50, '--out', tmp_path / 'maps']
        assert tool(monkeypatch, 'visualize_similarity', *arguments) == 0
        assert (tmp_path / 'maps.pdf').exists()
        work_dir = Path(trained['semi'][0]).parent
        assert tool(monkeypatch, 'visualize_similarity', '--log', work_dir, '--dpi', 50, '--out', tmp_path / 'log') == 0
        assert (tmp_path / 'log.png').exists()
        with pytest.raises(SystemExit, match='2'):
            tool(monkeypatch, 'visualize_similarity', *trained['semi'], '--log', work_dir)
        assert 'it takes no checkpoint' in capsys.readouterr().err

    def test_weight_of_a_step(self):
        cfg = Config(
            dict(
                model=dict(
                    similarity=dict(
                        type='SimilarityConsistencyLoss', stages=dict(encoder=0.5), loss_weight=40.0, ramp=True
                    )
                ),
                custom_hooks=[dict(type='SemiSupervisedHook', rampup_iters=100, rampup_interval=10, from_zero=False)],
                train_cfg=dict(max_iters=200),
            )
        )
        weight = similarity_weight(cfg)
        assert weight('encoder', 1) == pytest.approx(20 * np.exp(-5))
        assert weight('encoder', 10) == weight('encoder', 1)  # the tenth step is still in the first interval
        assert weight('encoder', 11) == pytest.approx(20 * np.exp(-5 * 0.9**2))
        assert weight('encoder', 150) == pytest.approx(20)
        assert similarity_weight(cfg, {11: 0.25})('encoder', 11) == pytest.approx(20 * 0.25)
        assert np.isnan(similarity_weight(cfg, {11: 0.0})('encoder', 11))
        cfg.model.cross_pseudo = dict(type='CrossPseudoLoss', loss_weight=0.5)
        history = TrainingLog(None, [dict(step=11, consistency_weight=0.125)], [])
        assert logged_ramp(history, cfg) == {11: 0.25}
        cfg.model.cross_pseudo.ramp = False
        assert logged_ramp(history, cfg) == {}
        cfg.model.similarity.ramp = False
        assert similarity_weight(cfg)('encoder', 1) == 20
        assert similarity_weight(Config(dict(model=dict(type='EncoderDecoder')))) is None


class TestPlotLog:
    def test_runs(self, trained, tmp_path, capsys):
        folders = [str(Path(config).parent) for config, _ in trained.values()]
        plot_log(folders, ['simEps', 'labels only'], tmp_path / 'both')
        assert 'simEps: 2 iterations' in capsys.readouterr().out
        assert (tmp_path / 'both.pdf').exists()
        with pytest.raises(UserError, match='2 runs need as many different labels, got one'):
            plot_log(folders, ['one'])

    def test_command_line(self, trained, tmp_path, capsys, monkeypatch):
        work_dir = Path(trained['plain'][0]).parent
        assert tool(monkeypatch, 'plot_log', work_dir, '--labels', 'ours', '--dpi', '50', '--out', tmp_path / 'c') == 0
        assert 'ours: 2 iterations' in capsys.readouterr().out
        assert tool(monkeypatch, 'plot_log', tmp_path / 'nowhere') == 1
        assert 'nowhere is not there' in capsys.readouterr().err
        assert tool(monkeypatch, 'plot_log', work_dir, '--dpi', '1') == 1
        assert '--dpi must be 10 or more, got 1' in capsys.readouterr().err
