"""Files of others run no code: each attack would leave a file behind."""

import http.server
import io
import os
import pickle
import re
import shutil
import threading
import zipfile
from functools import partial
from html import unescape
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from simeps_mmseg.apis.export import export, source_config
from simeps_mmseg.apis.report import report
from simeps_mmseg.apis.train import train
from simeps_mmseg.apis.visualize_similarity import visualize_similarity
from simeps_mmseg.datasets.preparation import source as archives
from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.models.utils.pretrained import check_pretrained
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.configs import load_config
from simeps_mmseg.utils.literal_config import read_literals
from simeps_mmseg.visualization.config_beside import config_beside
from tests.helpers import experiment


class Code:
    """What runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f'touch {self.mark}',)


@pytest.fixture
def mark(tmp_path):
    """A file that is there after the test if code was run; the test fails then."""
    yield tmp_path / 'code_was_run'
    assert not (tmp_path / 'code_was_run').exists()


@pytest.fixture
def checkpoint(tmp_path, mark):
    """With code in it."""
    torch.save(dict(meta=Code(mark), state_dict={'w': torch.zeros(1)}), tmp_path / 'foreign.pth')
    return tmp_path / 'foreign.pth'


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('load', [lambda file: CheckpointLoader.load_checkpoint(str(file)), read_checkpoint])
def test_checkpoints(load, legacy, tmp_path, mark):
    file = tmp_path / 'foreign.pth'
    torch.save(dict(meta=Code(mark)), file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r'foreign\.pth .*\n.*holds Python objects beside its weights') as caught:
        load(file)
    first, advice = str(caught.value).splitlines()
    system = f'{os.system.__module__}.system'
    assert first.endswith(
        f'foreign.pth cannot be loaded: it may run any code, so it was not opened (it asks for {system})'
    )
    assert 'Re-running' not in advice
    assert advice.index('from elsewhere') < advice.index('written it yourself') < advice.index('weights_only=False')


@pytest.mark.parametrize('resume', [False, True])
def test_load_from_and_resume(resume, checkpoint, synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=2)
    cfg.experiment_name = cfg.visualizer.name = f'foreign_{resume}'
    if resume:
        (tmp_path / 'run').mkdir()
        shutil.copy(checkpoint, tmp_path / 'run/iter_2.pth')
    else:
        cfg.load_from = str(checkpoint)
    cfg.dump(tmp_path / 'config.py')
    with pytest.raises(UserError):
        train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'), resume=resume)


def test_resume_follows_no_pointer_out_of_the_work_folder(checkpoint, synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=2)
    cfg.experiment_name = cfg.visualizer.name = 'foreign_pointer'
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/last_checkpoint').write_text(str(checkpoint))
    cfg.dump(tmp_path / 'config.py')
    runner = train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'), resume=True)
    assert not runner._resume  # the checkpoint fixture fails where any code in the file has run


def test_by_the_runner_of_mmengine(checkpoint, synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=2, load_from=str(checkpoint))
    cfg.experiment_name = cfg.visualizer.name = 'foreign_stock'
    with pytest.raises(UserError, match='may run any code'):
        Runner.from_cfg(cfg).train()


def test_pretrained_weights(checkpoint):
    init = dict(type='Pretrained', checkpoint=str(checkpoint))
    with pytest.raises(UserError, match='may run any code'):
        check_pretrained(Config(dict(model=dict(backbone=dict(init_cfg=init)))))


def test_addresses(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    content = checkpoint.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            """Quiet."""

    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(UserError, match='may run any code'):
            CheckpointLoader.load_checkpoint(f'http://127.0.0.1:{server.server_port}/foreign.pth')
    finally:
        server.shutdown()
        server.server_close()


FOREIGN_CONFIGS = {
    'a call': "import os\nos.system('touch {mark}')\nmodel = dict(type='EncoderDecoder')",
    'a call in a value': "model = dict(type='EncoderDecoder', a=__import__('os').system('touch {mark}'))",
    'a type that is a function': "model = dict(type='os.system', command='touch {mark}')",
    'a type that is a module': "model = dict(type='antigravity')",
    'a type of an MMSegmentation stack that is a function': "model = dict(type='mmengine.load', file='x.pkl')",
    'a type of torch that writes files': "model = dict(type='torch.PyTorchFileWriter', name='{mark}')",
    'a type that a module of torch has from elsewhere': "model = dict(type='torch.nn.modules.module.OrderedDict')",
    'a type inside a type that is a function': "model = dict(type='torch.nn.Module.Foreign.system')",
    'a scope': "default_scope = 'foreign'\nmodel = dict(type='EncoderDecoder')",
    'a scope of a part': "model = dict(type='EncoderDecoder', backbone=dict(type='UNet', _scope_='foreign'))",
    'an import': "model = dict(type='EncoderDecoder')\ncustom_imports = dict(imports=['foreign'])",
    'class weights': "model = dict(type='EncoderDecoder', loss_decode=dict(class_weight='x.pkl'))",
    'a model that unpickles annotations': "model = dict(type='mmengine.dataset.BaseDataset', ann_file='{pickle}')",
    'a backbone that unpickles annotations': (
        "model = dict(type='EncoderDecoder', backbone=dict(type='mmengine.dataset.BaseDataset', ann_file='{pickle}'))"
    ),
    'a model that fetches annotations': (
        "model = dict(type='mmengine.dataset.BaseDataset', ann_file='http://127.0.0.1/x.pkl')"
    ),
    'a model that runs a config': "model = dict(type='mmseg.apis.MMSegInferencer', model='{program}')",
    'a model that is a hook': "model = dict(type='mmengine.hooks.CheckpointHook')",
    'a model that is a runner': "model = dict(type='mmengine.runner.Runner')",
    'a model that fetches code': "model = dict(type='AutoModelForCausalLM', _scope_='mmpretrain', name_or_path='a/b')",
    'a scope handed down': (
        "model = dict(type='mmseg.EncoderDecoder', _scope_='mmpretrain', backbone=dict(type='ImageToImageRetriever'))"
    ),
    'a module under a scope': "model = dict(type='mmseg.Antigravity')",
    'weights that timm opens': "model = dict(backbone=dict(type='TIMMBackbone', checkpoint_path='x.pth'))",
    'a model at an address of timm': "model = dict(backbone=dict(type='TIMMBackbone', model_name='hf-hub:a/b'))",
    'a data set that unpickles annotations': (
        "val_dataloader = dict(dataset=dict(type='mmengine.dataset.BaseDataset', ann_file='{pickle}'))"
    ),
    'a data set of another package': (
        "val_dataloader = dict(dataset=dict(type='mmpretrain.BaseDataset', ann_file='{pickle}'))"
    ),
    'many labels': "val_dataloader = dict(dataset=dict(type='mmpretrain.MultiLabelDataset', ann_file='{pickle}'))",
    'a data set that unpickles by itself': "val_dataloader = dict(dataset=dict(type='mmpretrain.CIFAR10', data_root='.'))",
    'a data set inside a wrapper': (
        "val_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[dict(type='mmpretrain.CIFAR10')]))"
    ),
    'pickled annotations of a segmentation set': (
        "val_dataloader = dict(dataset=dict(type='DecathlonDataset', ann_file='{pickle}'))"
    ),
    'an address of a data set': "val_dataloader = dict(dataset=dict(type='BaseSegDataset', data_root='http://host/'))",
    'a backend of a data set': ("test_pipeline = [dict(type='LoadImageFromFile', backend_args=dict(backend='http'))]"),
    'a step that unpickles': "test_pipeline = [dict(type='LoadBiomedicalImageFromFile', decode_backend='pickle')]",
    'a step inside a step': (
        "test_pipeline = [dict(type='RandomApply', transforms=[dict(type='mmengine.dataset.BaseDataset')])]"
    ),
    'a base': "_base_ = ['https://example.org/config.py']",
    'a formatted text': 'model = dict(type=f\'{{__import__("os")}}\')',
}


@pytest.fixture
def foreign_config(tmp_path, mark):
    """Fill a text of ``FOREIGN_CONFIGS`` with paths of files that run code when they are unpickled or run."""
    (tmp_path / 'annotations.pkl').write_bytes(pickle.dumps(Code(mark)))
    (tmp_path / 'program.py').write_text(f"import os\nos.system('touch {mark}')\nmodel = dict(type='EncoderDecoder')")
    return partial(str.format, mark=mark, pickle=tmp_path / 'annotations.pkl', program=tmp_path / 'program.py')


@pytest.mark.parametrize('text', FOREIGN_CONFIGS.values(), ids=FOREIGN_CONFIGS)
def test_a_config_inside_a_checkpoint(text, foreign_config, tmp_path):
    content = dict(meta=dict(cfg=foreign_config(text)), state_dict={})
    with pytest.raises(UserError, match=r'foreign\.pth is not read, as it is more than names with plain values'):
        source_config(content, tmp_path / 'foreign.pth')


def test_export_of_a_foreign_checkpoint(foreign_config, tmp_path):
    text = foreign_config(FOREIGN_CONFIGS['a backbone that unpickles annotations'])
    torch.save(dict(meta=dict(cfg=text), state_dict={'w': torch.zeros(1)}), tmp_path / 'foreign.pth')
    with pytest.raises(UserError, match=r"model\.backbone\.type='mmengine\.dataset\.BaseDataset', which is no network"):
        export(str(tmp_path / 'foreign.pth'), branch='0')


def foreign_work_folder(folder: Path, config: str) -> Path:
    """A work folder with one record of a training and the config of another."""
    data = folder / '20260101_000000/vis_data'
    data.mkdir(parents=True)
    (data / 'scalars.json').write_text('{"loss": 1.0, "labeled.loss_similarity_logits": 1.0, "iter": 1, "step": 1}\n')
    (data / 'config.py').write_text(config)
    return folder


def test_a_config_in_a_work_folder(tmp_path, foreign_config):
    run = foreign_work_folder(tmp_path / 'run', foreign_config(FOREIGN_CONFIGS['a call']))
    with pytest.raises(UserError, match=r'config\.py is not read'):
        config_beside(run, '')


@pytest.mark.parametrize('name', [name for name, text in FOREIGN_CONFIGS.items() if 'val_dataloader' in text])
def test_a_report_of_a_foreign_work_folder(name, tmp_path, foreign_config):
    text = foreign_config("model = dict(type='EncoderDecoder')\n" + FOREIGN_CONFIGS[name])
    html = report(foreign_work_folder(tmp_path / 'run', text), tmp_path / 'report.html').read_text()
    assert 'is not read, as it is more than names with plain values (val_dataloader' in unescape(html)


@pytest.mark.parametrize('read', [mmengine.load, lambda file: BaseDataset(str(file)), lambda file: file_like(file)])
def test_pickled_annotations(read, tmp_path, mark):
    """Also of a config that the user has written: the next step is in the message."""
    (tmp_path / 'x.pkl').write_bytes(pickle.dumps(Code(mark)))
    with pytest.raises(
        UserError, match=r'is not opened: what is pickled may run any code\. If you trust it, write it as JSON'
    ):
        read(tmp_path / 'x.pkl')


def file_like(file: Path) -> object:
    with file.open('rb') as opened:
        return mmengine.load(opened, file_format='pickle')


def test_pickles_are_still_written(tmp_path):
    """``DumpResults`` of MMSegmentation's test tool writes them."""
    mmengine.dump([1], str(tmp_path / 'results.pkl'))
    assert pickle.loads((tmp_path / 'results.pkl').read_bytes()) == [1]


@pytest.mark.parametrize('work_folder_tool', ['report', 'visualize_similarity'])
def test_a_config_that_is_refused_says_what_to_do(work_folder_tool, tmp_path):
    """The next step is an option that the tool has."""
    foreign_work_folder(
        tmp_path / 'run', "model = dict(type='EncoderDecoder')\ncustom_imports = dict(imports=['foreign'])"
    )
    reason = (
        r"\(custom_imports='foreign', a module that would be imported\): name that of the training, if you trust it, "
    )
    if work_folder_tool == 'report':
        html = report(tmp_path / 'run', tmp_path / 'report.html').read_text()
        assert re.search(reason + 'with --config', unescape(html))
    else:
        with pytest.raises(UserError, match=reason + 'as CONFIG'):
            visualize_similarity(log=str(tmp_path / 'run'), out=tmp_path / 'figure')


@pytest.mark.parametrize(
    'text',
    [
        "custom_imports = dict(imports=['mmpretrain.models', 'mmdet', 'simeps_mmseg'])\ndefault_scope = 'mmseg'",
        "optim_wrapper = dict(optimizer=dict(type='torch.optim.AdamW', lr=1e-4), scheduler='torch.anything')",
        "model = dict(type='mmseg.models.segmentors.EncoderDecoder', act_cfg=dict(type='torch.nn.modules.GELU'))",
        "model = dict(type='EncoderDecoder', init_cfg=dict(type='Normal'), sampler=dict(type='OHEMPixelSampler'))",
        "model = dict(view=dict(type='RandomView', transforms=[dict(type='ColorJitter')]), norm_cfg=dict(type='SyncBN'))",
        "val_dataloader = dict(dataset=dict(type='RepeatDataset', dataset=dict(type='NEUSegDataset', data_root='data')))",
        "train_pipeline = [dict(type='LoadImageFromFile', backend_args=None), dict(type='mmcv.transforms.Pad')]",
    ],
)
def test_types_and_imports_of_the_stack_are_read(text):
    executed = {}
    exec(text, executed)
    del executed['__builtins__']
    assert read_literals(text, 'it', '')._cfg_dict.to_dict() == executed


def test_what_mmengine_dumps_is_read_as_it_is(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run')
    cfg.some = dict(nothing=None, low=-1e-3, pair=(1, -2), text="it's", none=[], **{'not-a-name': {1: 2.5}})
    assert (
        read_literals(cfg.pretty_text, 'it', '')._cfg_dict.to_dict()
        == Config.fromstring(cfg.pretty_text, '.py').to_dict()
    )


def test_yaml_tags(tmp_path, mark):
    (tmp_path / 'config.yaml').write_text(f'model: !!python/object/apply:os.system ["touch {mark}"]')
    with pytest.raises(UserError, match='could not determine a constructor'):
        load_config(tmp_path / 'config.yaml')
    (tmp_path / 'config.yaml').write_text('scale: !!python/tuple [1, 2]')
    assert load_config(tmp_path / 'config.yaml').scale == (1, 2)


def test_pickled_class_weights(tmp_path):
    (tmp_path / 'config.py').write_text("model = dict(head=dict(loss_decode=[dict(class_weight='w.pkl')]))")
    with pytest.raises(
        UserError, match=r'model\.head\.loss_decode\.0\.class_weight=w\.pkl: pickled files are not opened'
    ):
        load_config(tmp_path / 'config.py')


def test_an_archive_that_unpacks_to_more_than_it_says_it_may(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, 'MAX_UNPACKED', 1 << 20)
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_DEFLATED) as archive:
        for index in range(4):
            archive.writestr(f'{index}.png', bytes(1 << 20))
    (tmp_path / 'bomb.zip').write_bytes(content.getvalue())
    with pytest.raises(UserError, match=r'bomb\.zip: .* unpacks to 4194304; at most 100 times its size is read'):
        archives.open_source(tmp_path / 'bomb.zip')
    monkeypatch.setattr(archives, 'MAX_RATIO', 10**6)
    monkeypatch.setattr(archives, 'MAX_FILE', 1 << 19)
    with pytest.raises(ValueError, match=r'0\.png: unpacks to more than'):
        archives.open_source(tmp_path / 'bomb.zip').read('0.png')
