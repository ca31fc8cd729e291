import errno

import pytest
from mmengine.config import Config

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
        (OSError(errno.EFBIG, 'File too large', 'out.png'), 1, "File too large: 'out.png'; what was saved"),
        (KeyboardInterrupt(), 130, 'interrupted; what was saved before is kept; go on'),
    ],
)
def test_what_a_user_can_mend_is_one_message(error, code, message, capsys):
    assert report_user_errors(lambda: raising(error), after_interruption='; go on') == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('explicit', [True, False])
@pytest.mark.parametrize(
    ('cause', 'code', 'message'),
    [
        (KeyboardInterrupt(), 130, 'interrupted; what was saved before is kept'),
        (OSError(errno.ENOSPC, 'No space left on device'), 1, 'No space left on device; what was saved before is kept'),
    ],
)
@pytest.mark.parametrize('kind', [SyntaxError, RuntimeError, UserError])
def test_what_other_code_makes_of_it_counts_as_what_it_was(kind, cause, code, message, explicit, capsys):
    """``Config.pretty_text`` makes a SyntaxError of whatever ends it, PyTorch a RuntimeError of a full disk."""

    def tool():
        try:
            try:
                raise cause
            except BaseException as error:
                raise ValueError('between') from (error if explicit else None)
        except ValueError:
            raise kind('of something else')  # noqa: B904

    assert report_user_errors(tool) == code
    if (kind, type(cause)) != (UserError, OSError):  # what a UserError says of a full disk is for the user already
        assert capsys.readouterr().err.strip().endswith(message)


def test_an_interruption_of_a_config_that_is_written_is_one(monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', interrupted)
    monkeypatch.setattr('mmengine.config.config.FormatCode', interrupted, raising=False)  # where stock mmengine has it
    assert report_user_errors(lambda: Config(dict(model=dict(type='X'))).pretty_text) == 130
    assert capsys.readouterr().err.strip() == 'interrupted; what was saved before is kept'


def test_everything_else_is_raised():
    with pytest.raises(OSError, match='denied'):
        report_user_errors(lambda: raising(OSError(errno.EACCES, 'denied')))
