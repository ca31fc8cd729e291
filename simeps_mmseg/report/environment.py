"""The section on the environment of a training, as mmengine wrote it into its log, and on its config."""

import re
from pathlib import Path

from mmengine.config import Config

from ..visualization.training_log import log_files
from .page import Block, Code, Section, Table

WANTED = (
    'sys.platform',
    'Python',
    'GPU 0',
    'CUDA available',
    'PyTorch',
    'TorchVision',
    'OpenCV',
    'MMEngine',
    'seed',
    'GPU number',
)


def environment_section(work_dir: Path, cfg: Config | None) -> Section:
    """Versions, devices and seed as a table, then the whole config, as far as they are known."""
    blocks: list[Block] = []
    rows = environment_of(work_dir)
    if rows:
        blocks.append(Table(['environment', ''], rows, words=True))
    if cfg is not None:
        blocks.append(Code('The whole config', cfg.pretty_text))
    return Section('Environment and config', blocks)


def environment_of(work_dir: Path) -> list[tuple[str, str]]:
    """Name and value of what matters, of the newest start of a training; empty where there is no log in words."""
    start = log_files(work_dir)[-1].parents[1]
    file = start / f'{start.name}.log'
    return parse_environment(file.read_text(encoding='utf-8', errors='replace')) if file.is_file() else []


def parse_environment(text: str) -> list[tuple[str, str]]:
    """The lines of mmengine's two blocks that matter.

    Example:
        >>> text = 'System environment:\\n    Python: 3.11.7\\n    GCC: n/a\\n\\nRuntime environment:\\n    seed: 0\\n---'
        >>> parse_environment(text)
        [('Python', '3.11.7'), ('seed', '0')]
    """
    found: dict[str, str] = {}
    block = re.search(r'^System environment:$(.*?)^-+$', text, flags=re.DOTALL | re.MULTILINE)
    for name, value in re.findall(r'^    (\S[^:\n]*): (.*)$', block[1] if block else '', flags=re.MULTILINE):
        found.setdefault(name, value)
    return [(name, found[name]) for name in WANTED if name in found]
