"""What an installed user gets."""

import os
import subprocess
import sys

from tests.conftest import ROOT


def test_the_package_carries_configs_and_tools(tmp_path):
    build = ['egg_info', '--egg-base', str(tmp_path), 'build_py', '-d', str(tmp_path / 'lib')]
    command = [sys.executable, 'setup.py', '-q', *build]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    built = tmp_path / 'lib'
    for name in ('configs', 'tools'):
        shipped = {path.relative_to(ROOT / name) for path in (ROOT / name).rglob('*.py')}
        carried = {path.relative_to(built / 'simeps_mmseg/.mim' / name) for path in built.rglob(f'.mim/{name}/**/*.py')}
        assert carried == shipped
    assert (built / 'simeps_mmseg/py.typed').is_file()
    # From elsewhere, the installed command finds its tools and the tools find their configs.
    environment = {**os.environ, 'PYTHONPATH': str(built)}
    code = 'from simeps_mmseg.utils.paths import find_config as f; print(f("simeps/unet_neu_10pct.py"))'
    found = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == str(built / 'simeps_mmseg/.mim/configs/simeps/unet_neu_10pct.py')
    command = [sys.executable, '-m', 'simeps_cli', 'train', '--help']
    help_text = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert 'usage: simeps train' in help_text.stdout
