"""Each cure: what it mends, and that it does nothing where nothing is wrong. In processes of their own."""

import subprocess
import sys
import textwrap

import pytest
import torch

from tests.conftest import ROOT
from tests.processes import run_code

# The module without its package, which imports torchvision.
ALONE = (
    'from importlib.util import module_from_spec, spec_from_file_location; '
    f'spec = spec_from_file_location("compat", {str(ROOT / "simeps_mmseg/compat.py")!r}); '
    'compat = module_from_spec(spec); spec.loader.exec_module(compat)'
)


def fresh_python(code: str) -> str:
    """The last line that a fresh interpreter prints."""
    command = [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)]
    return last_line(subprocess.run(command, capture_output=True, text=True))


def python(code: str) -> str:
    """The last line that a process prints in which the package has been imported."""
    return last_line(run_code(code))


def last_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_torchvision_and_mmpretrain_can_be_imported():
    assert (
        fresh_python("""
        import simeps_mmseg, torch, torchvision, mmpretrain.models
        torch.ops.torchvision.nms
        print(torchvision.transforms.functional.hflip(torch.arange(2)[None]).tolist())
    """)
        == '[[1, 0]]'
    )


def test_missing_torchvision_operators_are_declared(tmp_path):
    """A torchvision that fails like a CUDA build beside a CPU-only torch, until the schemas are there."""
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision/__init__.py').write_text(
        'import torch\n'
        'for name in ("nms", "qnms"):\n'
        '    try:\n'
        '        schema = getattr(torch.ops.torchvision, name).default._schema\n'
        '    except AttributeError:\n'
        '        raise RuntimeError("operator torchvision::nms does not exist")\n'
        '    assert str(schema).endswith("(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")\n'
    )
    assert (
        fresh_python(f"""
            import sys
            sys.path.insert(0, {str(tmp_path)!r})
            {ALONE}
            compat.declare_torchvision_schemas()
            import torchvision
            print(torchvision.__file__.startswith({str(tmp_path)!r}), len(compat._kept_alive))
        """)
        == 'True 1'
    )


def test_a_working_torchvision_is_left_alone():
    assert (
        fresh_python(f"""
        import sys, types
        sys.modules['torchvision'] = types.ModuleType('torchvision')
        {ALONE}
        print(compat.declare_torchvision_schemas())
    """)
        == 'False'
    )


def test_another_error_of_torchvision_is_not_hidden(tmp_path):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision/__init__.py').write_text('raise RuntimeError("another problem")')
    done = subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path.insert(0, {str(tmp_path)!r}); import simeps_mmseg'],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert 'RuntimeError: another problem' in done.stderr


def test_mmseg_configs_can_be_inherited(tmp_path):
    (tmp_path / 'config.py').write_text("_base_ = 'mmseg::_base_/models/deeplabv3_r50-d8.py'\n")
    assert (
        python(f"""
        import simeps_mmseg
        from mmengine.config import Config
        print(Config.fromfile({str(tmp_path / 'config.py')!r}).model.decode_head.type)
    """)
        == 'ASPPHead'
    )


def test_a_known_distribution_is_left_alone():
    assert (
        python("""
        import simeps_mmseg.compat as compat
        from mmengine.config import utils
        utils.MODULE2PACKAGE['mmseg'] = 'torch'  # any that is installed
        print(compat.map_mmseg_to_its_module(), utils.MODULE2PACKAGE['mmseg'])
    """)
        == 'False torch'
    )


def test_history_buffers_load_protected_and_go_on(tmp_path):
    assert (
        python(f"""
        import simeps_mmseg, simeps_mmseg.compat as compat, torch
        from mmengine.logging import HistoryBuffer, MessageHub
        hub = MessageHub.get_instance('test')
        for value in (1.0, 3.0):
            hub.update_scalar('train/loss', value)
        torch.save(hub.state_dict(), {str(tmp_path / 'hub.pth')!r})
        state = torch.load({str(tmp_path / 'hub.pth')!r}, weights_only=True)
        again = MessageHub.get_instance('again')
        again.load_state_dict(state)
        again.update_scalar('train/loss', 5.0)
        buffer = again.get_scalar('train/loss')
        print(buffer.mean(), buffer.statistics('max'), compat.make_history_buffers_loadable())
    """)
        == '3.0 5.0 False'
    )


def test_protection_stays_on(tmp_path):
    assert (
        python(f"""
        import os, torch, simeps_mmseg

        class Attack:
            def __reduce__(self):
                return os.system, ('true',)

        torch.save(Attack(), {str(tmp_path / 'attack.pth')!r})
        try:
            torch.load({str(tmp_path / 'attack.pth')!r})
        except Exception as error:
            print(type(error).__name__)
    """)
        == 'UnpicklingError'
    )


@pytest.mark.skipif(torch.accelerator.is_available(), reason='there is an accelerator')
def test_a_launcher_runs_without_a_gpu():
    assert (
        python("""
        import os, torch
        import simeps_mmseg, simeps_mmseg.compat as compat
        from mmengine.dist import get_backend, init_dist
        from mmengine.model import MMDistributedDataParallel
        os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
        init_dist('pytorch', backend='nccl')
        wrapped = MMDistributedDataParallel(torch.nn.Linear(1, 1), device_ids=[0], broadcast_buffers=False)
        print(get_backend(), wrapped.device_ids, compat.let_launchers_run_without_gpu())
    """)
        == 'gloo None False'
    )


def test_a_launcher_with_a_gpu_is_left_alone():
    """The GPU is a pretended one, so joining the processes is as far as it goes."""
    assert (
        python("""
        import os, torch
        import simeps_mmseg
        from unittest import mock
        from mmengine.dist import init_dist
        os.environ.update(RANK='0', LOCAL_RANK='0')
        with (
            mock.patch('torch.accelerator.is_available', return_value=True),
            mock.patch('torch.cuda.set_device') as set_device,
            mock.patch('torch.distributed.init_process_group') as init_process_group,
        ):
            init_dist('pytorch', backend='nccl')
        print(set_device.call_args.args, init_process_group.call_args.kwargs)
    """)
        == "(0,) {'backend': 'nccl'}"
    )


def test_a_missing_stack_is_explained():
    done = subprocess.run(
        [sys.executable, '-c', 'import sys; sys.modules["mmseg"] = None; import simeps_mmseg'],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert 'mmseg cannot be found' in done.stderr
    for extra in ('onedl', 'openmmlab'):
        assert f'pip install -c constraints.txt -e ".[{extra}]"' in done.stderr


@pytest.mark.parametrize('name', ['NEUSegDataset', 'DAGMDataset', 'MagneticTileDataset', 'SyntheticDefectDataset'])
def test_importing_registers(name):
    from mmseg.registry import DATASETS

    assert DATASETS.get(name).__module__.startswith('simeps_mmseg.')


def test_importing_the_package_says_nothing():
    deprecation = 'ignore:pkg_resources is deprecated:UserWarning'  # of setuptools, to stock mmengine
    command = [sys.executable, '-W', deprecation, '-c', 'import simeps_mmseg']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ''


def test_two_messages_are_kept_back_and_no_others(tmp_path):
    """A stack that says these two things and others."""
    for name in ('datasets', 'models'):
        (tmp_path / 'mmseg' / name).mkdir(parents=True)
    (tmp_path / 'mmseg/__init__.py').write_text('')
    (tmp_path / 'mmseg/models/__init__.py').write_text(
        'import warnings\n'
        'warnings.warn("Fail to import ``MultiScaleDeformableAttention`` from mmcv.ops")\n'
        'warnings.warn("another warning")\n'
    )
    (tmp_path / 'mmseg/datasets/__init__.py').write_text(
        'from mmengine.logging import print_log\n'
        'print_log("Could not import OneDL", level=10)\n'
        'print_log("Could not import OneDL, and more")\n'
    )
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        {ALONE}
        print(compat.import_mmseg_quietly())
        import mmengine.logging, warnings
        mmengine.logging.print_log("Could not import OneDL")
        warnings.warn("Fail to import ``MultiScaleDeformableAttention`` afterwards")
    """
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ['Could not import OneDL, and more', 'True', 'Could not import OneDL']
    assert done.stderr.count('UserWarning') == 2
    assert 'another warning' in done.stderr
    assert 'afterwards' in done.stderr
