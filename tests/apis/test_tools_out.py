"""The command lines of export, predict and rank_unlabeled, from arguments to exit code."""

import runpy
import shutil
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def run(monkeypatch):
    def run(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(ROOT / f'tools/{tool}.py'), run_name='__main__')
        return stopped.value.code

    return run


def test_export(run, trained, tmp_path, capsys):
    assert run('export', trained.checkpoint, '--branch', 'best', '--out', tmp_path / 'x.pth') == 0
    assert (tmp_path / 'x.py').exists()
    assert (
        run(
            'export',
            trained.checkpoint,
            '--branch',
            0,
            '--format',
            'torchscript',
            '--size',
            16,
            16,
            '-o',
            tmp_path / 'x.pt',
        )
        == 0
    )
    assert '(batch, 3, 16, 16)' in capsys.readouterr().out
    assert run('export', tmp_path / 'none.pth') == 1
    assert (
        f'error: checkpoint {tmp_path}/none.pth is not there; in {tmp_path} there are x.pth' in capsys.readouterr().err
    )


def test_the_exported_pair_is_predicted_with(run, trained, synthetic_root, tmp_path):
    folder = synthetic_root / 'synthetic/images/test'
    assert run('export', trained.checkpoint, '--branch', 1, '--out', tmp_path / 'x.pth') == 0
    arguments = ('--min-area', 3, '--no-overlays', '--cfg-options', 'model.test_cfg.mode=whole')
    assert run('predict', tmp_path / 'x.py', tmp_path / 'x.pth', folder, '-o', tmp_path / 'out', *arguments) == 0
    assert len((tmp_path / 'out/records.jsonl').read_text().splitlines()) == 6


def test_a_broken_input_is_in_the_exit_code(run, trained, synthetic_root, tmp_path, capsys):
    shutil.copytree(synthetic_root / 'synthetic/images/test', tmp_path / 'parts')
    (tmp_path / 'parts/zz.png').write_text('no image')
    assert run('predict', trained.config, trained.checkpoint, tmp_path / 'parts', '-o', tmp_path / 'out') == 1
    assert '1 of 7 inputs could not be segmented' in capsys.readouterr().err
    assert len((tmp_path / 'out/records.csv').read_text().splitlines()) == 7


def test_rank_unlabeled(run, trained, synthetic_root, tmp_path):
    folder = synthetic_root / 'synthetic/images/training'
    arguments = ('-o', tmp_path / 'out', '--similarity', 1, '--sheet', 2)
    assert run('rank_unlabeled', trained.config, trained.checkpoint, folder, *arguments) == 0
    assert (tmp_path / 'out/contact_sheet.png').exists()
