"""The ``simeps`` command: ``simeps train CONFIG ...`` runs the tool ``train.py``, and so on for each tool.

A module of its own beside the package, because importing the package imports PyTorch, and ``--help`` should not wait for
that.
"""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path


def tools_folder() -> Path:
    """Where the tools are: inside the installed package, or beside it in a clone."""
    package = Path(find_spec('simeps_mmseg').origin).parent
    installed = package / '.mim' / 'tools'
    return installed if installed.is_dir() else package.parent / 'tools'


def main() -> None:
    """Run the tool that the first argument names with the other arguments."""
    tools = {path.stem: path for path in sorted(tools_folder().glob('*.py'))}
    name = sys.argv[1].replace('-', '_') if len(sys.argv) > 1 else ''
    if name not in tools:
        wanted = name in ('', '_h', '__help')
        print(f'usage: simeps {{{",".join(tools)}}} ...\n\nsimeps TOOL --help says more', file=sys.stderr)
        sys.exit(0 if wanted and name else 2)
    sys.argv = [f'simeps {name}', *sys.argv[2:]]
    spec = spec_from_file_location(f'simeps_tool_{name}', tools[name])
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    sys.exit(tool.main())


if __name__ == '__main__':
    main()
