import errno

import pytest

from simeps_mmseg.utils import UserError, report_user_errors


def raising(error):
    raise error


@pytest.mark.parametrize(
    ('error', 'code', 'message'),
    [
        (UserError('no such file'), 1, 'error: no such file'),
        (
            OSError(errno.ENOSPC, 'No space left on device', 'out.png'),
            1,
            "No space left on device: 'out.png'; what was saved",
        ),
        (KeyboardInterrupt(), 130, 'interrupted; what was saved before is kept; go on'),
    ],
)
def test_what_a_user_can_mend_is_one_message(error, code, message, capsys):
    assert report_user_errors(lambda: raising(error), after_interruption='; go on') == code
    assert message in capsys.readouterr().err


def test_everything_else_is_raised():
    with pytest.raises(OSError, match='denied'):
        report_user_errors(lambda: raising(OSError(errno.EACCES, 'denied')))
