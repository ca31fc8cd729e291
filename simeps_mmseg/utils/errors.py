"""Errors that a user can mend."""

import errno
import sys
from collections.abc import Callable, Iterable, Iterator

from .streams import write_any_name

# No room on the disk, in the user's share of it, or for a file so large (ulimit -f).
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(ValueError):
    """Something the user got wrong: what was expected, what was found, and the next step. Tools show it without traceback."""


class UsageError(UserError):
    """Arguments that do not go together, or lack one."""


def refuse(what: str, problems: Iterable[str]) -> None:
    """Raise if there are problems.

    Raises:
        UserError: With what cannot be, and every problem on a line of its own.
    """
    lines = [f'  - {problem}' for problem in problems]
    if lines:
        raise UserError('\n'.join([f'{what}:', *lines]))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from or while they were handled."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += filter(None, (one.__cause__, one.__context__))


def disk_full(error: BaseException) -> OSError | None:
    """The ``OSError`` in the chain of an error that says that there is no room for a file; None where there is none."""
    found = (one for one in chain_of(error) if isinstance(one, OSError) and one.errno in DISK_FULL)
    return next(found, None)


def report_user_errors(tool: Callable[[], object], after_interruption: str = '') -> int:
    """Run a tool; show what the user can mend as one message.

    Args:
        tool: What to run.
        after_interruption: What to add to the message after Ctrl-C.

    Returns:
        Exit code: 0, 1 after a :class:`UserError` or a full disk, 130 after an interruption, also one that some code has
        turned into another error.

    Raises:
        SystemExit: With code 2 after a :class:`UsageError`, as argparse has it.
    """
    write_any_name([sys.stdout, sys.stderr])
    try:
        tool()
    except (Exception, KeyboardInterrupt) as error:
        if any(isinstance(one, KeyboardInterrupt) for one in chain_of(error)):
            print(f'interrupted; what was saved before is kept{after_interruption}', file=sys.stderr)
            return 130
        if isinstance(error, UserError):
            print(f'error: {error}', file=sys.stderr)
            if isinstance(error, UsageError):
                sys.exit(2)
            return 1
        full = disk_full(error)
        if full is None:
            raise
        print(f'error: {full}; what was saved before is kept{after_interruption}', file=sys.stderr)
        return 1
    return 0
