import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint

from simeps_mmseg.apis.export import export, source_config
from simeps_mmseg.apis.test import test as score
from simeps_mmseg.deploy import branch_model, network_states, read_checkpoint, recorded_scores, stock_config
from simeps_mmseg.deploy.graph import adaptive_average, run_onnx, run_torchscript
from simeps_mmseg.inference.export_comparison import comparison_images, pixels_apart, prepared
from simeps_mmseg.inference.export_files import unannounced
from simeps_mmseg.inference.loading import load_model, networks_of
from simeps_mmseg.inference.preparation import Preparation, preprocessed
from simeps_mmseg.utils import UserError
from tests.conftest import ROOT
from tests.helpers import save, tiny_branch, tiny_model

META = dict(classes=('background', 'scratch', 'patch', 'pit'), palette=[[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9]])
BLOCKER = """
import sys

class Blocked:
    # torchvision too: beside a CPU-only torch only this package's cure lets it be imported.
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('simeps_mmseg', 'torchvision'):
            raise ModuleNotFoundError(f'No module named {name!r}')

sys.meta_path.insert(0, Blocked())
"""
WITHOUT_THE_PACKAGE = """
import runpy, sys
from pathlib import Path
import mmseg, numpy as np, torch
from mmengine.logging import HistoryBuffer
from mmseg.apis import MMSegInferencer, inference_model, init_model

try:
    import simeps_mmseg
    sys.exit('the package is there after all')
except ModuleNotFoundError:
    pass
config, weights, image, folder = sys.argv[1:]
torch.load(weights, weights_only=True)
sys.argv = ['test.py', config, weights, '--work-dir', folder + '/test', '--show-dir', folder + '/shown',
            '--cfg-options', 'default_hooks.visualization.interval=1']
runpy.run_path(str(Path(mmseg.__file__).parent / '.mim/tools/test.py'), run_name='__main__')
model = init_model(config, weights, device='cpu')
logits = inference_model(model, image).seg_logits.data.numpy()
inferred = MMSegInferencer(model=config, weights=weights, device='cpu')(image)['predictions']
np.savez(folder + '/found.npz', logits=logits, inferred=inferred)
# A log history as mmengine writes it, for the test of read_checkpoint.
history = HistoryBuffer()
history.update(0.5)
torch.save(dict(meta={}, state_dict={'w': torch.ones(2)}, message_hub=dict(log_scalars={'val/mIoU': history})),
           folder + '/stock.pth')
assert not [name for name in sys.modules if name.startswith('simeps_mmseg')]
"""


@pytest.fixture(scope='session')
def without_the_package(trained, image, tmp_path_factory):
    """Branch 1, exported and run where the package cannot be imported: the folder with what came out."""
    folder = tmp_path_factory.mktemp('without')
    export(trained.checkpoint, branch='1', out=str(folder / 'branch.pth'))
    (folder / 'sitecustomize.py').write_text(BLOCKER)
    (folder / 'script.py').write_text(WITHOUT_THE_PACKAGE)
    command = [sys.executable, 'script.py', 'branch.py', 'branch.pth', image, str(folder)]
    environment = {**os.environ, 'PYTHONPATH': str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return folder


def logits_of(model, network, cfg, image):
    _, data = Preparation(cfg)(image)
    with torch.no_grad():
        return network.predict(*preprocessed(model, [data]))[0].seg_logits.data


def loaded(trained):
    return load_model(trained.cfg, read_checkpoint(trained.checkpoint))


def test_weights_that_do_not_fit_are_still_named(tmp_path, capfd):
    torch.save(dict(state_dict=dict(surplus=torch.zeros(1))), tmp_path / 'a.pth')
    with unannounced():
        load_checkpoint(torch.nn.Linear(1, 1), str(tmp_path / 'a.pth'))
    printed = ''.join(capfd.readouterr())
    assert 'surplus' in printed
    assert 'a.pth' not in printed


class TestPlainPair:
    def test_predicts_the_same_without_this_package(self, without_the_package, trained, image):
        model = loaded(trained)
        expected = logits_of(model, model.teachers[1].module, trained.cfg, image)
        with np.load(without_the_package / 'found.npz') as found:
            np.testing.assert_allclose(found['logits'], expected, rtol=0, atol=1e-5)
            np.testing.assert_array_equal(found['inferred'], expected.argmax(dim=0))

    def test_scores_the_same_without_this_package(self, without_the_package, trained):
        from mmengine.runner import Runner

        cfg = deepcopy(trained.cfg)
        cfg.update(load_from=trained.checkpoint, work_dir=str(without_the_package / 'own'))
        expected = Runner.from_cfg(cfg).test()['branch_1.mIoU']
        found = json.loads(next((without_the_package / 'test').glob('*/*.json')).read_text().splitlines()[-1])
        assert found['mIoU'] == pytest.approx(expected, abs=1e-4)  # rounded to two digits, then to float32
        assert list((without_the_package / 'shown').rglob('*.png'))

    def test_the_config_names_nothing_of_this_package(self, without_the_package):
        text = (without_the_package / 'branch.py').read_text()
        assert text.count('simeps_mmseg') == 1  # who wrote it
        cfg = Config.fromstring(text.split('\n', 1)[1], '.py')
        assert 'simeps' not in cfg.pretty_text
        assert not {'_base_', 'custom_imports', 'custom_hooks', 'train_dataloader'} & set(cfg)
        assert cfg.model.decode_head.loss_decode == [dict(type='CrossEntropyLoss', loss_weight=0.5)]
        assert cfg.test_dataloader.dataset.type == 'BaseSegDataset'
        assert cfg.test_dataloader.dataset.metainfo.classes == list(META['classes'])
        assert cfg.test_evaluator.type == 'IoUMetric'

    def test_the_checkpoint_holds_tensors_and_plain_values(self, without_the_package):
        content = torch.load(without_the_package / 'branch.pth', weights_only=True)
        assert set(content) == {'meta', 'state_dict'}
        assert all(value.is_contiguous() for value in content['state_dict'].values())
        assert content['meta']['exported']['network'] == 'branch 1'

    def test_the_student_differs_from_its_average(self, trained, tmp_path):
        for student in (False, True):
            export(trained.checkpoint, branch='2', out=str(tmp_path / f'{student}.pth'), student=student)
        weights = [torch.load(tmp_path / f'{student}.pth')['state_dict'] for student in (False, True)]
        expected = read_checkpoint(trained.checkpoint)['state_dict']
        key = 'decode_head.conv_seg.weight'
        assert torch.equal(weights[0][key], expected[f'teachers.2.module.{key}'])
        assert torch.equal(weights[1][key], expected[f'branches.2.{key}'])
        assert not torch.equal(weights[0][key], weights[1][key])

    def test_of_a_single_network(self, trained_plain, tmp_path, capsys):
        export(trained_plain.checkpoint, out=str(tmp_path / 'network.pth'))
        printed = ''.join(capsys.readouterr())
        assert 'largest difference of the logits from PyTorch: 0.00e+00' in printed
        assert '.partial_' not in printed
        assert set(os.listdir(tmp_path)) == {'network.pth', 'network.py'}

    def test_of_deep_images(self, trained, tmp_path, capsys):
        """The loaders differ by a grey level, the networks by nothing."""
        cfg = deepcopy(trained.cfg)
        cfg.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageAsUint8')
        cfg.dump(tmp_path / 'deep.json')
        pixels = np.random.default_rng(0).integers(0, 65536, (32, 32), dtype=np.uint16)
        save(tmp_path / 'images/deep.png', pixels)
        save(tmp_path / 'images/plain.png', (pixels // 256).astype(np.uint8))
        options = dict(branch='0', config=str(tmp_path / 'deep.json'), images=str(tmp_path / 'images'))
        export(trained.checkpoint, out=str(tmp_path / 'x.pth'), **options)
        printed = capsys.readouterr().out
        assert 'largest difference of the logits from PyTorch: 0.00e+00' in printed
        assert re.search(r'note: of 1 of 2 files, such as .*deep.png, .* up to 1 of 255 grey levels apart', printed)
        save(tmp_path / 'images/float.tif', (pixels / 65535).astype(np.float32))
        export(trained.checkpoint, out=str(tmp_path / 'y.pth'), **options)
        assert re.search(r'note: of 2 of 3 files, such as .*float.tif, .* none at all', capsys.readouterr().out)

    def test_an_exported_pipeline_that_does_otherwise(self, trained, tmp_path, image):
        own, other = deepcopy(trained.cfg), deepcopy(trained.cfg)
        other.test_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(16, 16)))
        with pytest.raises(UserError, match=r'makes \(3, 16, 16\) of it, the original \(3, 32, 32\)'):
            pixels_apart(Preparation(own)(image)[1], image, Preparation(other))

    def test_ensemble_is_no_encoder_decoder(self, trained):
        with pytest.raises(UserError, match=r'the ensemble of 3 networks is no EncoderDecoder .* --format onnx or'):
            export(trained.checkpoint, branch='ensemble')


class TestBest:
    def test_is_chosen_by_the_validation_of_its_own_iteration(self, trained, tmp_path, capsys):
        target = export(trained.checkpoint, out=str(tmp_path / 'best.pth'))
        log = next(Path(trained.checkpoint).parent.glob('*/vis_data/scalars.json'))
        validation = json.loads(log.read_text().splitlines()[-1])
        scores = [validation[f'branch_{k}.mIoU_fg'] for k in range(3)]
        chosen = torch.load(target)['meta']['exported']['network']
        assert chosen == f'branch {np.argmax(scores)}'
        assert f'the best by mIoU_fg {scores[0]:.2f} / {scores[1]:.2f}' in capsys.readouterr().out

    def history(self, **scores):
        buffers = {}
        for key, values in scores.items():
            buffers[key] = HistoryBuffer()
            for value in values:
                buffers[key].update(value)
        return buffers

    def test_prefers_the_log_of_its_iteration_to_the_earlier_one_it_carries(self, tmp_path):
        hub = self.history(**{'val/branch_0.mIoU': [10.0, 60.0], 'val/branch_1.mIoU': [99.0, 50.0]})
        checkpoint = dict(meta=dict(iter=8), message_hub=dict(log_scalars=hub))
        carried = recorded_scores(checkpoint, tmp_path / 'iter_8.pth')
        assert carried.values == [60.0, 50.0]
        assert 'before iter_8.pth was written' in carried.source
        log = tmp_path / '20260101/vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        lines = [{'branch_0.mIoU': step, 'branch_1.mIoU': 70.0, 'step': step} for step in (4, 8, 12)]
        log.write_text('\n'.join(map(json.dumps, lines)) + '\n{"branch_0.mI')
        found = recorded_scores(checkpoint, tmp_path / 'iter_8.pth')
        assert (found.name, found.values) == ('mIoU', [8.0, 70.0])
        assert 'iteration 8 in' in found.source

    def test_scores_with_the_prefix_of_an_evaluator(self, tmp_path):
        hub = self.history(**{'val/parts/branch_0.mIoU_fg': [60.0], 'val/parts/branch_1.mIoU_fg': [50.0]})
        checkpoint = dict(meta=dict(iter=8), message_hub=dict(log_scalars=hub))
        assert recorded_scores(checkpoint, tmp_path / 'iter_8.pth').values == [60.0, 50.0]
        log = tmp_path / '20260101/vis_data/scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('{"parts/branch_0.mIoU_fg": 40.0, "parts/branch_1.mIoU_fg": 70.0, "step": 8}\n')
        assert recorded_scores(checkpoint, tmp_path / 'iter_8.pth').values == [40.0, 70.0]

    def test_without_scores_says_how_to_get_them(self, trained, tmp_path):
        content = read_checkpoint(trained.checkpoint)
        torch.save(dict(meta=content['meta'], state_dict=content['state_dict']), tmp_path / 'bare.pth')
        with pytest.raises(
            UserError, match=r'--branch best needs .*\n.*ann_file=splits/seed0/val.txt\n.*--branch 0 to 2'
        ):
            export(str(tmp_path / 'bare.pth'))

    def test_without_a_test_set_no_command_is_printed(self, trained, tmp_path):
        content = read_checkpoint(trained.checkpoint)
        torch.save(dict(meta=content['meta'], state_dict=content['state_dict']), tmp_path / 'bare.pth')
        cfg = deepcopy(trained.cfg)
        for key in ('test_dataloader', 'test_evaluator', 'test_cfg'):
            cfg.pop(key)
        cfg.dump(tmp_path / 'config.py')
        with pytest.raises(UserError, match=r'\nName one: --branch 0 to 2'):
            export(str(tmp_path / 'bare.pth'), config=str(tmp_path / 'config.py'))
        export(str(tmp_path / 'bare.pth'), config=str(tmp_path / 'config.py'), branch='0')
        exported = Config.fromfile(tmp_path / 'branch_0_of_bare.py')
        assert exported.test_dataloader == exported.val_dataloader

    @pytest.mark.parametrize('several', [False, True])
    def test_the_command_that_it_prints_scores_each_branch(self, trained, tmp_path, several, capsys):
        """Of a config by hand: the metric of MMSegmentation, and nothing said of branches."""
        cfg = deepcopy(trained.cfg)
        del cfg.model.test_cfg
        metric = dict(type='IoUMetric', iou_metrics=['mIoU'])
        cfg.val_evaluator = cfg.test_evaluator = [metric] if several else metric
        cfg.experiment_name = cfg.visualizer.name = f'by_hand_{several}'
        cfg.work_dir = str(tmp_path / 'run')
        cfg.val_dataloader.dataset.data_prefix.img_path = str(Path(cfg.val_dataloader.dataset.data_root, 'images'))
        cfg.test_dataloader.dataset.indices = 1
        (tmp_path / 'start of a training/vis_data').mkdir(parents=True)
        cfg.dump(tmp_path / 'start of a training/vis_data/config.py')
        content = read_checkpoint(trained.checkpoint)
        torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=content['state_dict']), tmp_path / 'bare.pth')
        with pytest.raises(UserError) as caught:
            export(str(tmp_path / 'bare.pth'))
        (command,) = re.findall('simeps test .*', str(caught.value))
        _, _, config, checkpoint, flag, *options = shlex.split(command)
        assert flag == '--cfg-options'
        assert (
            f'test_dataloader.dataset.data_prefix.img_path={cfg.val_dataloader.dataset.data_prefix.img_path}' in options
        )
        scores = score(config, checkpoint, options=options)
        assert all(f'branch_{k}.mIoU_fg' in scores for k in range(3))
        assert scores['defective_images'] + scores['defect_free_images'] == len(
            (Path(cfg.val_dataloader.dataset.data_root) / 'splits/seed0/val.txt').read_text().split()
        )

    def test_of_students_is_not_what_was_validated(self, trained):
        with pytest.raises(UserError, match='scores are those of the moving averages'):
            export(trained.checkpoint, student=True)

    def test_of_students_without_averages_is_that_of_the_branches(self, trained, tmp_path, capsys):
        content = read_checkpoint(trained.checkpoint)
        content['state_dict'] = {k: v for k, v in content['state_dict'].items() if not k.startswith('teachers.')}
        torch.save(content, tmp_path / 'iter_2.pth')
        log = next(Path(trained.checkpoint).parent.glob('*/vis_data/scalars.json'))
        shutil.copytree(log.parent, tmp_path / 'run/vis_data')
        cfg = deepcopy(trained.cfg)
        cfg.model.teacher = None
        cfg.dump(tmp_path / 'config.json')
        export(str(tmp_path / 'iter_2.pth'), student=True, config=str(tmp_path / 'config.json'))
        printed = capsys.readouterr().out
        assert '--student changes nothing: the model keeps no moving averages' in printed
        assert 'the best by mIoU_fg' in printed


class TestLabelsOnly:
    """Where no branch is better on validation than the network on labels alone, that one is exported."""

    @pytest.fixture
    def folder(self, trained, tmp_path):
        shutil.copy(trained.checkpoint, tmp_path / 'iter_2.pth')
        log = next(Path(trained.checkpoint).parent.glob('*/vis_data/scalars.json'))
        shutil.copytree(log.parent, tmp_path / 'run/vis_data')
        return tmp_path

    def keep(self, folder, trained, score):
        """What the guard would have written: another network, with a score of its own."""
        weights = network_states(read_checkpoint(trained.checkpoint)['state_dict'])[2]
        state = {name: value + 1 for name, value in weights.items()}
        meta = dict(iter=1, branch=2, scores={'mIoU_fg': score, 'branch_2.mIoU_fg': score})
        torch.save(dict(meta=meta, state_dict=state), folder / 'labels_only.pth')
        reference = dict(iteration=1, key='mIoU_fg', metrics=meta['scores'])
        (folder / 'labels_only.json').write_text(json.dumps(dict(reference=reference, best=score, events=[])))
        return state

    def test_is_exported_where_it_is_better(self, folder, trained, capsys):
        state = self.keep(folder, trained, 99.5)
        target = export(str(folder / 'iter_2.pth'), out=str(folder / 'out.pth'))
        printed = capsys.readouterr().out
        assert f'{folder}/labels_only.pth: no branch is better on validation (mIoU_fg 99.50)' in printed
        written = torch.load(target)
        assert written['meta']['exported']['network'] == 'labels only'
        assert all(torch.equal(written['state_dict'][name], value) for name, value in state.items())

    def test_is_exported_where_no_branch_is_better(self, folder, trained):
        """As where the best checkpoint is that of the start."""
        path = folder / 'iter_2.pth'
        self.keep(folder, trained, max(recorded_scores(read_checkpoint(path), path).values))
        target = export(str(path), out=str(folder / 'out.pth'))
        assert torch.load(target)['meta']['exported']['network'] == 'labels only'

    def test_is_not_where_a_branch_is(self, folder, trained):
        self.keep(folder, trained, 0.0)
        target = export(str(folder / 'iter_2.pth'), out=str(folder / 'out.pth'))
        assert torch.load(target)['meta']['exported']['network'].startswith('branch ')

    def test_is_not_where_a_branch_is_asked_for(self, folder, trained):
        self.keep(folder, trained, 99.5)
        target = export(str(folder / 'iter_2.pth'), branch='0', out=str(folder / 'out.pth'))
        assert torch.load(target)['meta']['exported']['network'] == 'branch 0'


class TestGraphs:
    @pytest.mark.parametrize('suffix', ['onnx', 'pt'])
    def test_ensemble(self, trained, image, tmp_path, capsys, suffix):
        if suffix == 'onnx':
            pytest.importorskip('onnxruntime')
        path = export(trained.checkpoint, branch='ensemble', out=str(tmp_path / f'all.{suffix}'))
        printed = capsys.readouterr().out
        assert 'any batch, this height and width only' in printed
        assert '6 images such as' in printed
        import cv2

        picture = cv2.imread(image).transpose(2, 0, 1)[None]
        if suffix == 'onnx':
            import onnxruntime

            session = onnxruntime.InferenceSession(str(path))
            found = session.run(None, {'images': picture})[0]
            info = session.get_modelmeta().custom_metadata_map
            assert json.loads(info['classes']) == list(META['classes'])
            assert 'BatchNormalization' not in {node.op_type for node in _onnx(path).graph.node}
        else:
            extra = {'info.json': ''}
            found = torch.jit.load(str(path), _extra_files=extra)(torch.from_numpy(picture)).numpy()
            assert json.loads(extra['info.json'])['classes'] == list(META['classes'])
        for wrong in (picture[..., :-1], picture[:, :1]):
            with pytest.raises(Exception, match=r'expected images of shape|[Gg]ot invalid dimensions'):
                (run_onnx if suffix == 'onnx' else run_torchscript)(path)(torch.from_numpy(wrong))
        model = loaded(trained)
        expected = torch.stack([logits_of(model, network, trained.cfg, image) for network in networks_of(model)])
        np.testing.assert_allclose(found[0], expected.mean(dim=0), rtol=0, atol=1e-4)

    def test_slide_inference_and_padding(self, synthetic_root, trained, tmp_path, capsys):
        """Crops of 16 with a stride of 8 over images that the preprocessor pads from 20 to 24."""
        branch = tiny_branch(mode='slide', crop_size=(16, 16), stride=(8, 8))
        branch.data_preprocessor.test_cfg = dict(size_divisor=8)
        path = self.untrained(trained, tiny_model(branch=branch), tmp_path)
        export(path, branch='0', out=str(tmp_path / 'slide.pt'), size=(20, 20))
        assert 'logits: float32, (batch, 4, 20, 20)' in capsys.readouterr().out

    def test_a_pyramid_whose_cells_overlap(self, trained, tmp_path):
        pytest.importorskip('onnxruntime')
        branch = tiny_branch()
        for key in ('num_convs', 'concat_input'):
            branch.decode_head.pop(key)
        branch.decode_head.update(type='PSPHead', pool_scales=(1, 3, 6))
        export(self.untrained(trained, tiny_model(branch=branch), tmp_path), branch='0', out=str(tmp_path / 'x.onnx'))
        assert (tmp_path / 'x.onnx').exists()

    @pytest.mark.parametrize('output_size', [1, 3, 6, (2, 5), (None, 4)])
    def test_pooling_by_products(self, output_size):
        inputs = torch.randn(2, 3, 8, 11)
        torch.testing.assert_close(
            adaptive_average(inputs, output_size), torch.nn.functional.adaptive_avg_pool2d(inputs, output_size)
        )

    def test_how_deep_images_become_8_bits_is_written_down(self, trained, tmp_path, capsys):
        cfg = deepcopy(trained.cfg)
        cfg.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageAsUint8', bit_depth=12)
        cfg.dump(tmp_path / 'deep.json')
        path = str(tmp_path / 'deep.pt')
        export(trained.checkpoint, branch='0', config=str(tmp_path / 'deep.json'), out=path)
        assert 'first to 8 bits as LoadImageAsUint8(bit_depth=12)' in capsys.readouterr().out
        extra = {'info.json': ''}
        torch.jit.load(path, _extra_files=extra)
        assert 'LoadImageAsUint8(bit_depth=12)' in json.loads(extra['info.json'])['scaling']

    def test_a_network_of_this_package(self, trained, tmp_path):
        branch = tiny_branch()
        branch.backbone = dict(type='DropoutUNet', channels=(4, 8), dropout=(0.1, 0.1))
        branch.decode_head.update(type='ConvSegHead', in_channels=4, channels=4)
        for key in ('num_convs', 'concat_input'):
            branch.decode_head.pop(key)
        path = self.untrained(trained, tiny_model(branch=branch), tmp_path)
        with pytest.raises(
            UserError, match=r'no model.backbone.type=DropoutUNet, model.decode_head.type=ConvSegHead.*onnx'
        ):
            export(path, branch='0', out=str(tmp_path / 'no.pth'))
        export(path, branch='0', out=str(tmp_path / 'yes.pt'), input_type='float32')
        assert (tmp_path / 'yes.pt').exists()
        assert not (tmp_path / 'no.pth').exists()

    def test_a_graph_that_differs_is_not_written(self, trained, tmp_path):
        with pytest.raises(UserError, match=r'differs by .* nothing was written'):
            export(trained.checkpoint, branch='0', out=str(tmp_path / 'x.pt'), bound=1e-12)
        assert not os.listdir(tmp_path)

    def test_images_of_several_sizes_need_one_for_the_graph(self, trained, tmp_path):
        for name, size in (('wide.png', (16, 32)), ('square.png', (16, 16))):
            save(tmp_path / name, np.zeros((*size, 3), np.uint8))
        files = [tmp_path / 'wide.png', tmp_path / 'square.png']
        with pytest.raises(UserError, match=r'images of several sizes \(16 x 16, 16 x 32\): give --size HEIGHT WIDTH'):
            prepared(trained.cfg, files, None)
        images, size = prepared(trained.cfg, files, (16, 24))
        assert [tuple(image.shape) for image in images] == [(3, 16, 24)] * 2
        assert size == (16, 24)
        assert prepared(trained.cfg, files[:1], None)[1] == (16, 32)

    def test_noise_where_a_stock_set_misses_its_list(self, trained, tmp_path):
        cfg = deepcopy(trained.cfg)
        for loader in ('val_dataloader', 'test_dataloader'):
            cfg[loader].dataset.update(
                type='BaseSegDataset', data_root=str(tmp_path / 'elsewhere'), ann_file='list.txt'
            )
        assert comparison_images(cfg, None) == []

    def test_noise_where_there_are_no_images(self, trained, tmp_path, capsys):
        cfg = deepcopy(trained.cfg)
        for loader in ('val_dataloader', 'test_dataloader'):
            cfg[loader].dataset.data_root = str(tmp_path / 'elsewhere')
        cfg.dump(tmp_path / 'config.py')
        with pytest.raises(UserError, match='give --size HEIGHT WIDTH'):
            export(trained.checkpoint, branch='0', config=str(tmp_path / 'config.py'), out=str(tmp_path / 'x.pt'))
        export(
            trained.checkpoint,
            branch='0',
            config=str(tmp_path / 'config.py'),
            out=str(tmp_path / 'x.pt'),
            size=(16, 24),
        )
        assert 'images of seeded noise' in capsys.readouterr().out

    @pytest.mark.parametrize('suffix', ['pt', 'pth'])
    def test_noise_has_the_channels_of_the_network(self, trained, tmp_path, suffix):
        branch = tiny_branch()
        branch.backbone.in_channels = 1
        branch.data_preprocessor.update(mean=[120.0], std=[60.0], bgr_to_rgb=False)
        path = self.untrained(trained, tiny_model(branch=branch), tmp_path, data_root=str(tmp_path / 'elsewhere'))
        export(path, branch='0', out=str(tmp_path / f'grey.{suffix}'), size=(16, 24))
        assert (tmp_path / f'grey.{suffix}').exists()

    @staticmethod
    def untrained(trained, model, folder, **dataset):
        from mmseg.registry import MODELS

        cfg = deepcopy(trained.cfg)
        cfg.model = model
        for loader in (cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.update(dataset)
        built = MODELS.build(model)
        path = folder / 'untrained.pth'
        torch.save(dict(meta=dict(cfg=cfg.pretty_text, dataset_meta=META), state_dict=built.state_dict()), path)
        return str(path)


def _onnx(path):
    import onnx

    return onnx.load(str(path))


class TestNothingIsLost:
    @pytest.mark.parametrize('there', ['mine.pth', 'mine.py'])
    def test_files_of_that_name_stay(self, trained, tmp_path, there):
        (tmp_path / there).write_text('precious')
        with pytest.raises(UserError, match=rf'{there} would be replaced; .* add --overwrite'):
            export(trained.checkpoint, branch='0', out=str(tmp_path / 'mine.pth'))
        assert [path.name for path in tmp_path.iterdir()] == [there]
        assert (tmp_path / there).read_text() == 'precious'

    def test_unless_asked_for(self, trained, tmp_path):
        (tmp_path / 'mine.py').write_text('an older export')
        export(trained.checkpoint, branch='0', out=str(tmp_path / 'mine.pth'), overwrite=True)
        assert Config.fromfile(tmp_path / 'mine.py').model.type == 'EncoderDecoder'


def test_images_to_compare_on_that_cannot_be_read(trained, tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/cut.png').write_bytes(b'no image')
    for name in ('x.pth', 'x.pt'):
        with pytest.raises(UserError, match=r'cut\.png, an image to compare on, cannot be read.*--images'):
            export(trained.checkpoint, branch='0', out=str(tmp_path / name), images=str(tmp_path / 'images'))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['images']


def test_a_single_import_stays_one(trained):
    cfg = deepcopy(trained.cfg)
    cfg.custom_imports = dict(imports='mmpretrain.models')
    model = branch_model(cfg, 0)
    assert stock_config(cfg, model, META).custom_imports.imports == ['mmpretrain.models']


class TestErrors:
    def test_unknown_branch(self, trained):
        with pytest.raises(UserError, match=r'--branch must be one of best, 0, 1, 2, ensemble .* got 3'):
            export(trained.checkpoint, branch='3')

    def test_suffix_and_format(self, trained):
        with pytest.raises(UserError, match=r'-o x.onnx is a file of --format onnx, not of --format pth'):
            export(trained.checkpoint, out='x.onnx', kind='pth')

    def test_damaged_checkpoint(self, tmp_path):
        (tmp_path / 'x.pth').write_bytes(b'nothing')
        with pytest.raises(UserError, match=r'x.pth cannot be loaded'):
            export(str(tmp_path / 'x.pth'))

    @pytest.mark.parametrize('content', [b'some text\n', b'iteration 7', b'', b'\x93NUMPY', b'(a', b'0123', b'h\x01.'])
    def test_what_is_no_checkpoint(self, tmp_path, content):
        (tmp_path / 'text.pth').write_bytes(content)
        message = f'text.pth cannot be loaded: it is no file that torch.save has written (it begins with {content!r})'
        with pytest.raises(UserError, match=re.escape(message)):
            export(str(tmp_path / 'text.pth'))

    @pytest.mark.parametrize('bound', [-1, float('nan')])
    def test_a_bound_that_is_none(self, trained, bound):
        with pytest.raises(UserError, match=f'--bound is the largest difference of the logits, 0 or more, got {bound}'):
            export(trained.checkpoint, branch='ensemble', bound=bound)  # said before the ensemble is refused

    def test_a_config_that_would_stand_in_for_a_module_of_python(self, trained, tmp_path):
        with pytest.raises(
            UserError, match=r"re\.pth would have its config in re\.py, .* in place of Python's own re; "
        ):
            export(trained.checkpoint, branch='0', out=str(tmp_path / 're.pth'))
        assert list(tmp_path.iterdir()) == []
        assert export(trained.checkpoint, branch='0', out=str(tmp_path / 're.pt')).exists()  # no config beside it

    def test_checkpoint_without_config(self, tmp_path):
        torch.save({'w': torch.ones(1)}, tmp_path / 'x.pth')
        with pytest.raises(UserError, match='holds no config; name the one of the training with --config'):
            export(str(tmp_path / 'x.pth'))

    def test_config_of_another_model(self, trained, trained_plain):
        with pytest.raises(UserError, match=r'not of the model in the config; weights: .* missing'):
            export(trained.checkpoint, branch='0', config=trained_plain.config)

    def test_folder_without_images(self, trained, tmp_path):
        with pytest.raises(UserError, match='is no folder with images'):
            export(trained.checkpoint, branch='0', images=str(tmp_path))


def test_a_log_history_written_without_this_package_loads_protected(without_the_package):
    path = without_the_package / 'stock.pth'
    content = read_checkpoint(path)
    assert content['message_hub']['log_scalars']['val/mIoU'].data[0].tolist() == [0.5]


SHIPPED = sorted(path.relative_to(ROOT / 'configs').as_posix() for path in ROOT.glob('configs/simeps/*.py'))


def test_source_config_needs_a_model(tmp_path):
    with pytest.raises(UserError, match='has no model'):
        source_config(dict(meta=dict(cfg='x = 1\n')), tmp_path / 'x.pth')
