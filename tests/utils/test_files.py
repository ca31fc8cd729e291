from pathlib import Path

import pytest

from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.files import check_writable


def test_a_file_that_can_be_written_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / 'deep/out.py')
    assert list((tmp_path / 'deep').iterdir()) == []


@pytest.mark.skipif(not Path('/proc/self').exists(), reason='a folder in which root has all permissions and no rights')
def test_a_folder_whose_permissions_promise_too_much():
    with pytest.raises(UserError, match=r'^/proc/x\.py cannot be written: no file can be made in /proc'):
        check_writable('/proc/x.py')


def test_what_is_no_folder_and_what_is_one(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match=r'file/out\.py cannot be written: .*file'):
        check_writable(tmp_path / 'file/out.py')
    with pytest.raises(UserError, match='it is a folder'):
        check_writable(tmp_path)
