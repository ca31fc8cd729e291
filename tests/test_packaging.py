"""What an installed user gets."""

import os
import re
import shutil
import subprocess
import sys

import pytest

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


def pins(name):
    """Versions by package of a file of requirements, those for Python before 3.11 and other stacks apart."""
    text = (ROOT / name).read_text().split('# extra openmmlab')
    rest = text[0] + ''.join('# extra export' + part.split('# extra export')[1] for part in text[1:])
    lines = [line for line in rest.splitlines() if 'python_version < "3.11"' not in line]
    return dict(found.groups() for line in lines if (found := re.match(r'([\w.-]+)==([^\s;]+)', line)))


def test_what_is_locked_for_ci_is_what_is_tested():
    locked, constraints = pins('requirements.lock'), pins('constraints.txt')
    assert len(locked) > len(constraints) > 20
    differing = {name for name, version in constraints.items() if locked.get(name) != version}
    assert not differing, f'{differing} differ between constraints.txt and requirements.lock: run `make lock`'


def test_what_is_locked_has_hashes():
    entries = re.split(r'\n(?=\S)', (ROOT / 'requirements.lock').read_text().strip())
    assert all('--hash=sha256:' in entry for entry in entries)


@pytest.mark.skipif(not shutil.which('make'), reason='make is not installed')
@pytest.mark.parametrize(
    ('variables', 'says'),
    [
        (['STACK=mmlab'], 'STACK must be onedl or openmmlab, got mmlab'),
        (['HASHES=1', 'TORCH=2.11.0'], 'HASHES=1 installs what is in requirements.lock'),
        (['HASHES=1', 'STACK=openmmlab'], 'leave STACK and TORCH out, or HASHES'),
    ],
)
def test_make_refuses_what_it_would_pass_over(variables, says):
    made = subprocess.run(['make', '--dry-run', 'install', *variables], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode
    assert says in made.stderr
