"""Which of MMSegmentation's own configs ``simeps make_semi`` converts, unchanged, with a folder of ordinary images.

    python benchmarks/conversions.py                    # one JSON line
    python benchmarks/conversions.py --update           # the table of docs/own_data.md

Nothing is trained: see families.py.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pages import ResultsTable
from benchmarks.results import append


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args = TABLE.parse(parser)
    results = args.results.resolve()
    line = conversions()
    append(results, line)
    print(json.dumps(line))


def conversions() -> dict:
    """How many configs and families are converted, and what is said of the others. Changes the working directory."""
    import mmseg
    import numpy as np
    from PIL import Image

    from benchmarks.families import families, register
    from simeps_mmseg.utils import progress

    register()
    of_families = families()
    configs = [config for of_family in of_families.values() for config in of_family]
    refused: dict[Path, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path('images').mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save('images/0.png')
        for config in progress(configs, 'convert'):
            if reason := refusal(config):
                refused[config] = reason
    converted = {config.parent.name for config in configs if config not in refused}
    return dict(
        mmseg=mmseg.__version__,
        configs=len(configs),
        families=len(of_families),
        converted=dict(configs=len(configs) - len(refused), families=len(converted)),
        refused={
            name_of(config): reason.replace(str(config), 'mmseg::' + name_of(config))
            for config, reason in refused.items()
        },
    )


def name_of(config: Path) -> str:
    """A config of MMSegmentation as users name it, behind ``mmseg::``."""
    return f'{config.parent.name}/{config.name}'


def refusal(config: Path) -> str:
    """What ``make_semi`` says of a config; empty if it writes one, also for a network that needs a package to be built."""
    from simeps_mmseg.apis.make_semi import make_semi
    from simeps_mmseg.utils import UserError

    Path('semi.py').unlink(missing_ok=True)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            make_semi(f'mmseg::{name_of(config)}', 'images', 'semi.py', overwrite=True)
    except UserError as error:
        return '' if Path('semi.py').exists() else str(error).splitlines()[0]
    return ''


def markdown(lines: Sequence[dict]) -> str:
    """For each version of MMSegmentation, of its last line: how many are converted, then one row per config that is not."""
    tables = []
    for line in {line['mmseg']: line for line in lines}.values():
        converted = line['converted']
        rows = [
            f'{converted["configs"]} of {line["configs"]} configs of MMSegmentation {line["mmseg"]} are converted, of '
            f'{converted["families"]} of {line["families"]} families. The others:',
            '',
            '| config | what `make_semi` says |',
            '|---|---|',
            *(f'| `{name}` | {brief(reason, name)} |' for name, reason in line['refused'].items()),
        ]
        tables.append('\n'.join(rows) + '\n')
    return '\n'.join(tables)


def brief(reason: str, name: str) -> str:
    """A reason, for a cell of a table, without the name of the config."""
    return reason.replace(f'mmseg::{name} ', '').replace('|', ' ')


TABLE = ResultsTable('conversions', 'own_data.md', markdown)

if __name__ == '__main__':
    main()
