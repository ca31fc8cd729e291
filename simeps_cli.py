"""The command lines of ``simeps`` and of ``tools/``, made from the functions in ``simeps_mmseg.apis`` by tyro.

A module of its own beside the package: importing the package imports PyTorch, and ``--help`` should not wait for that. So
signatures and docstrings are read from the source; the function itself is imported once the arguments are right.

tyro, because it keeps the spelling of MMSegmentation's tools: ``--cfg-options a=1 b=2``, flags without a value, ``--work-dir``
with ``-`` or ``_``. jsonargparse has ``--resume true`` and ``--cfg_options '[a=1]'``; cyclopts has the spelling, and seven
packages behind it (20 MB) where tyro has three (3 MB).
"""

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

PACKAGE = 'simeps_mmseg'
LIGHT_MODULES = ('collections.abc', 'pathlib', 'typing')  # what the types in a signature may come from
# Parameters that are called otherwise on the command line, and short names, in all tools.
OPTION_NAMES = dict(options='cfg-options')
SHORT_NAMES = dict(out=('-o',))
METAVARS = dict(options='KEY=VALUE')


@dataclass(frozen=True)
class Command:
    """The command line of a function in ``simeps_mmseg.apis``.

    Attributes:
        module: Of ``simeps_mmseg.apis``, with the function of the same name.
        function: Its name, where it has another one.
        positional: Parameters with a default that are given by place; those without a default are anyway.
        named: Parameters without a default that are given as options nevertheless.
        renamed: Names of options by parameter, where they differ.
        without: What the flag ``--no-NAME`` does, for each parameter that is true by default: its docstring says the opposite.
        after_interruption: What to add to the message after Ctrl-C.
    """

    module: str
    function: str = ''
    positional: Sequence[str] = ()
    named: Sequence[str] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    after_interruption: str = ''

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the function with the arguments of the process, or with others; the exit code."""
        values = self.parse(sys.argv[1:] if arguments is None else arguments)
        function = getattr(import_module(f'{PACKAGE}.apis'), self.function or self.module)
        report_user_errors = import_module(f'{PACKAGE}.utils').report_user_errors
        leave_processes = import_module(f'{PACKAGE}.utils.processes').leave_processes

        def tool() -> None:
            code = None
            try:
                function(**values)
            except (
                SystemExit
            ) as end:  # as after SIGTERM, in all processes; what is raised in one alone does not wait for others
                code = end.code
            leave_processes()
            if code is not None:
                sys.exit(code)

        return report_user_errors(tool, self.after_interruption)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the parameters by name; ``--help`` and wrong arguments end the process, as argparse does."""
        import tyro

        stub = signature_only(package_folder() / 'apis' / f'{self.module}.py', self.function or self.module)
        parameters = inspect.signature(stub).parameters
        if 'launcher' in parameters:
            arguments = set_local_rank(arguments)
        several = [one for one in parameters.values() if takes_several(one) and not self._by_place(one)]
        arguments = joined(arguments, [self._spelled(one) for one in several])
        stub.__annotations__ = {name: self._annotated(parameter) for name, parameter in parameters.items()}
        stub.__doc__ = as_help(stub.__doc__, {name: self._spelled(parameter) for name, parameter in parameters.items()})
        prog = Path(sys.argv[0]).name
        values = tyro.cli(stub, args=arguments, prog=prog, config=(tyro.conf.FlagCreatePairsOff,))
        for name, parameter in parameters.items():  # an empty variable may be why
            if values[name] == [] and not self._by_place(parameter):
                print(f'error: {self._spelled(parameter)} is given without a value', file=sys.stderr)
                sys.exit(2)
        return values

    def _annotated(self, parameter: inspect.Parameter) -> Any:
        from tyro.conf import Positional, arg

        name = parameter.name
        by_place = self._by_place(parameter)
        metavar = metavar_of(parameter)
        details = arg(
            name=self._option(name),
            help=self.without.get(name),
            aliases=None if by_place else SHORT_NAMES.get(name),
            metavar=f'[{metavar}]' if by_place and parameter.default is None else metavar,
            help_behavior_hint=default_in_words(parameter.default),
        )
        annotated = Annotated[text_only(parameter.annotation), details]
        return Positional[annotated] if by_place else annotated

    def _by_place(self, parameter: inspect.Parameter) -> bool:
        name = parameter.name
        return name in self.positional or (parameter.default is parameter.empty and name not in self.named)

    def _option(self, name: str) -> str | None:
        return self.renamed.get(name, OPTION_NAMES.get(name))

    def _spelled(self, parameter: inspect.Parameter) -> str:
        name = parameter.name
        return name.upper() if self._by_place(parameter) else f'--{self._option(name) or name}'.replace('_', '-')


def takes_several(parameter: inspect.Parameter) -> bool:
    """Whether a parameter takes any number of values."""
    return any(get_origin(kind) is Sequence for kind in (parameter.annotation, *get_args(parameter.annotation)))


def joined(arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """Arguments with all values of an option where it is given last, as argparse's ``extend`` has it; tyro takes the last.

    Where one of them is without a value, so is the whole.

    Args:
        arguments: Of the command line.
        names: Options that take any number of values, such as ``--cfg-options``.

    Example:
        >>> joined(['c.py', '--cfg-options', 'a=1', '--resume', '--cfg_options', 'b=2', 'c=3'], ['--cfg-options'])
        ['c.py', '--resume', '--cfg-options', 'a=1', 'b=2', 'c=3']
    """
    groups: list[list[str]] = [[]]
    for argument in arguments:
        if argument.startswith('-') and argument != '-':
            groups.append([argument])
        else:
            groups[-1].append(argument)
    for name in names:
        own = [group for group in groups if group and group[0].partition('=')[0].replace('_', '-') == name]
        if len(own) > 1:
            values = [[*group[0].split('=', 1)[1:], *group[1:]] for group in own]
            own[-1][:] = [name, *(value for group in values for value in group if all(values))]
            groups = [group for group in groups if all(group is not one for one in own[:-1])]
    return [argument for group in groups for argument in group]


def signature_only(file: Path, name: str) -> Callable[..., dict]:
    """A function with the signature and the docstring of one in a source file, that returns its arguments as a dict.

    Of what the file imports, only types of the standard library are; so defaults have to be literals.
    """
    tree = ast.parse(file.read_text(encoding='utf-8'))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    docstring = ast.get_docstring(function) or ''
    function.body = [ast.Expr(ast.Constant(docstring)), ast.Return(ast.parse('locals()', mode='eval').body)]
    function.returns = None
    function.decorator_list.clear()  # they are imported
    types = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in LIGHT_MODULES]
    module = ast.fix_missing_locations(ast.Module([*types, function], []))
    namespace: dict[str, Any] = {}
    exec(compile(module, str(file), 'exec'), namespace)
    return namespace[name]


def as_help(docstring: str, spelled: Mapping[str, str]) -> str:
    """A docstring as ``--help`` shows it: each paragraph and each argument in one line, which the terminal breaks.

    Args:
        docstring: In Google's style. Parameters that it mentions stand between double backticks.
        spelled: What a parameter is called on the command line.

    Example:
        >>> as_help('Train\\nit.\\n\\nArgs:\\n    seed: Of\\n        ``out_dir``. None: 0.', dict(out_dir='--out-dir'))
        'Train it.\\n\\nArgs:\\n    seed: Of --out-dir. Default: 0.'
    """
    joined = re.sub(r'\n {8,}(?=\S)', ' ', docstring)
    joined = re.sub(r'(?<=\S)\n(?=\S)', ' ', joined)
    named = re.sub(r'``(\w+)``', lambda found: spelled.get(found[1], found[1]), joined)
    return named.replace('``', '').replace('None: ', 'Default: ')


def text_only(annotation: Any) -> Any:
    """Paths are text on the command line: ``str | Path | None`` becomes ``str | None``.

    Example:
        >>> text_only(str | Path | None)
        str | None
    """
    kinds = get_args(annotation)
    if str not in kinds or Path not in kinds:
        return annotation
    return str | None if type(None) in kinds else str


def default_in_words(default: object) -> str:
    """What ``--help`` adds to the text of a parameter; nothing where that text says what comes without the option.

    Example:
        >>> default_in_words(0), default_in_words(None), default_in_words(inspect.Parameter.empty)
        ('(default: 0)', '', '(required)')
    """
    if default is inspect.Parameter.empty:
        return '(required)'
    return '' if default in (None, ()) or isinstance(default, bool) else f'(default: {default})'


def metavar_of(parameter: inspect.Parameter) -> str | None:
    """What stands for the value of a parameter in ``--help``: the choices, or its name; None for a flag."""
    if parameter.annotation is bool:
        return None
    kinds = [kind for kind in [parameter.annotation, *get_args(parameter.annotation)] if get_origin(kind)]
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if choices:
        return f'{{{",".join(choices)}}}'
    if any(get_origin(kind) is tuple for kind in kinds):
        return 'H W'  # the only pairs there are
    name = METAVARS.get(parameter.name, parameter.name.upper())
    return f'{name} [{name} ...]' if any(get_origin(kind) is Sequence for kind in kinds) else name


def set_local_rank(arguments: Sequence[str]) -> list[str]:
    """Put ``--local_rank N``, which old launchers append, into the environment; the other arguments are returned."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    known, others = parser.parse_known_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(known.local_rank))
    return others


def package_folder() -> Path:
    """Where the package is; it is not imported."""
    return Path(find_spec(PACKAGE).origin).parent


def tools_folder() -> Path:
    """Where the tools are: inside the installed package, or beside it in a clone."""
    installed = package_folder() / '.mim' / 'tools'
    return installed if installed.is_dir() else package_folder().parent / 'tools'


def overview(tools: Mapping[str, Path]) -> str:
    """What ``simeps --help`` says: each tool with the first line of its docstring."""
    first = {
        name: (ast.get_docstring(ast.parse(file.read_text(encoding='utf-8'))) or '') for name, file in tools.items()
    }
    width = max(map(len, tools))
    lines = [f'  {name:{width}}  {text.splitlines()[0]}' for name, text in first.items()]
    return '\n'.join([f'usage: simeps {{{",".join(tools)}}} ...', '', *lines, '', 'simeps TOOL --help says more'])


def meant_tool(name: str, tools: Mapping[str, Path]) -> str:
    """A question after the tool that a misspelt name is nearest to."""
    return ''.join(f'; did you mean {tool}?' for tool in get_close_matches(name, tools, 1))


def main() -> None:
    """Run the tool that the first argument names with the other arguments."""
    tools = {path.stem: path for path in sorted(tools_folder().glob('*.py'))}
    wanted = sys.argv[1] if len(sys.argv) > 1 else ''
    name = wanted.replace('-', '_')
    if wanted in ('-h', '--help'):
        print(overview(tools))
        sys.exit(0)
    if name not in tools:
        said = f'simeps has no tool {wanted}{meant_tool(name, tools)}\n\n' if wanted else ''
        print(f'{said}{overview(tools)}', file=sys.stderr)
        sys.exit(2)
    sys.argv = [f'simeps {name}', *sys.argv[2:]]
    spec = spec_from_file_location(f'simeps_tool_{name}', tools[name])
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    sys.exit(tool.main())


if __name__ == '__main__':
    main()
