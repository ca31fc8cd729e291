"""Errors that a user can mend."""

import errno
import sys
from collections.abc import Callable

from .streams import write_any_name

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class UserError(ValueError):
    """Something the user got wrong: what was expected, what was found, and the next step. Tools show it without traceback."""


class UsageError(UserError):
    """Arguments that do not go together, or lack one."""


def report_user_errors(tool: Callable[[], object], after_interruption: str = '') -> int:
    """Run a tool; show what the user can mend as one message.

    Args:
        tool: What to run.
        after_interruption: What to add to the message after Ctrl-C.

    Returns:
        Exit code: 0, 1 after a :class:`UserError` or a full disk, 130 after an interruption.

    Raises:
        SystemExit: With code 2 after a :class:`UsageError`, as argparse has it.
    """
    write_any_name([sys.stdout, sys.stderr])
    try:
        tool()
    except UsageError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        print(f'error: {error}; what was saved before is kept{after_interruption}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'interrupted; what was saved before is kept{after_interruption}', file=sys.stderr)
        return 130
    return 0
