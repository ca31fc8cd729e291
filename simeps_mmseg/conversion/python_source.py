"""Values and pipelines as the text of a config."""

from collections.abc import Sequence

from ..datasets.unlabeled_pipeline import is_nested, unlabeled_pipeline


def code(value: object, indent: int = 0) -> str:
    """A value as the configs write it: dicts by keyword, one line where it fits."""
    if isinstance(value, dict):
        keyword = all(isinstance(key, str) and key.isidentifier() for key in value)
        parts = [
            f'{key}={code(v, indent + 4)}' if keyword else f'{key!r}: {code(v, indent + 4)}' for key, v in value.items()
        ]
        opening, closing = ('dict(', ')') if keyword else ('{', '}')
    elif isinstance(value, (list, tuple)):
        parts = [code(v, indent + 4) for v in value]
        opening, closing = ('[', ']') if isinstance(value, list) else ('(', ',)' if len(value) == 1 else ')')
    else:
        return repr(value)
    line = f'{opening}{", ".join(parts)}{closing}'
    if len(line) + indent <= 100 and '\n' not in line:
        return line
    pad = ' ' * (indent + 4)
    return '\n'.join([opening, *(f'{pad}{part},' for part in parts), ' ' * indent + closing.lstrip(',')])


def plain(value: object) -> object:
    """Dicts and lists of mmengine as those of Python."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return type(value)(plain(inner) for inner in value) if isinstance(value, (list, tuple)) else value


def call(kind: str, options: Sequence[str]) -> str:
    """A config of a component, one option per line."""
    return '\n'.join(['dict(', f"    type='{kind}',", *(f'    {option},' for option in options), ')'])


def derived(pipeline: Sequence[dict], owner: str, dropped: Sequence[str], changes: dict[str, dict]) -> str:
    """Expression of an unlabelled pipeline: derived from the labelled one, or written out where steps are nested."""
    if is_nested(pipeline):
        return code(plain(unlabeled_pipeline(pipeline, dropped, changes)), 4)
    step = "{**step, **unlabeled_changes.get(step['type'], {})}" if changes else 'step'
    lines = ['[', f'        {step}', f"        for step in {owner}['pipeline']"]
    lines.append(f"        if step['type'] not in {code(list(dropped))}")
    return '\n'.join([*lines, '    ]'])
