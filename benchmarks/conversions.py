"""Which of MMSegmentation's own configs ``simeps make_semi`` converts, unchanged, with a folder of ordinary images.

    python benchmarks/conversions.py

Prints how many of how many configs and families, and what was said of the others. Nothing is trained: see families.py.
"""

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def main() -> None:
    import numpy as np
    from PIL import Image

    from benchmarks.families import families, register
    from simeps_mmseg.utils import progress

    register()
    configs = [config for of_family in families().values() for config in of_family]
    refused: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path('images').mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save('images/0.png')
        for config in progress(configs, 'convert'):
            if reason := refusal(config):
                refused[config] = reason
    converted = {config.parent.name for config in configs if config not in refused}
    print(f'{len(configs) - len(refused)} of {len(configs)} configs, of {len(converted)} of {len(families())} families')
    for config, reason in refused.items():
        print(f'{config.parent.name}/{config.name}: {reason}')


def refusal(config: Path) -> str:
    """What ``make_semi`` says of a config; empty if it writes one, also for a network that needs a package to be built."""
    from simeps_mmseg.apis.make_semi import make_semi
    from simeps_mmseg.utils import UserError

    Path('semi.py').unlink(missing_ok=True)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            make_semi(f'mmseg::{config.parent.name}/{config.name}', 'images', 'semi.py', overwrite=True)
    except UserError as error:
        return '' if Path('semi.py').exists() else str(error).splitlines()[0]
    return ''


if __name__ == '__main__':
    main()
