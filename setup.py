"""Build the package; metadata of tools is in pyproject.toml, tested versions in constraints.txt."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ('configs', 'tools')


class BuildWithConfigs(build_py):
    """Put configs/ and tools/ into the wheel as ``simeps_mmseg/.mim/``, where MMSegmentation keeps its own."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            target = Path(self.build_lib) / 'simeps_mmseg' / '.mim' / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns('__pycache__'))


def version() -> str:
    text = (ROOT / 'simeps_mmseg/__init__.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '(.+)'", text)[1]


ONEDL = ['onedl-mmengine>=0.10.12', 'onedl-mmcv>=2.3.6', 'onedl-mmsegmentation>=1.4.2', 'onedl-mmpretrain>=1.3.6']
OPENMMLAB = [
    'mmengine>=0.10.7',
    'mmcv>=2.1.0,<2.2.0',  # mmsegmentation refuses later ones
    'mmsegmentation>=1.2.2',
    'mmpretrain>=1.2.0',
    'ftfy',
    'regex',
    'setuptools<82',
]
EXPORT = [
    'onnx>=1.23',
    'onnxruntime>=1.32; python_version >= "3.11"',
    'onnxruntime>=1.23; python_version < "3.11"',
]
BROWSER = ['playwright>=1.60']  # drives a Chromium that is already there; without one its tests are skipped
CACHE = ['lmdb>=1.6']  # decoded images, shared by processes
TEST = ['pytest>=9', 'pytest-xdist>=3.8', 'hypothesis>=6', *EXPORT, *CACHE]
DOCS = ['sphinx>=9', 'myst-parser>=5', 'furo', 'sphinx-copybutton']
LINT = ['ruff>=0.17', 'mypy>=2.4', 'pre-commit>=4']

setup(
    name='simeps_mmseg',
    version=version(),
    description='Semi-supervised semantic segmentation for MMSegmentation, made for surface defects',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['simeps_mmseg', 'simeps_mmseg.*']),
    package_data={'simeps_mmseg': ['py.typed'], 'simeps_mmseg.report': ['template.html']},
    py_modules=['simeps_cli'],
    cmdclass=dict(build_py=BuildWithConfigs),
    entry_points=dict(console_scripts=['simeps = simeps_cli:main']),
    install_requires=[
        'torch>=2.11',
        'torchvision>=0.26',
        'numpy>=2.2',
        'pillow',
        'opencv-python',
        'scipy',
        'matplotlib',
        'prettytable',
        'tqdm',
        'tyro>=1.0',
        'jinja2',
    ],
    extras_require=dict(
        onedl=ONEDL, openmmlab=OPENMMLAB, export=EXPORT, cache=CACHE, test=TEST, docs=DOCS, dev=[*TEST, *BROWSER, *LINT]
    ),
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
