"""How files name each other."""

import os

from simeps_mmseg.utils.paths import reference_to


def test_a_reference_is_relative_within_a_project_and_absolute_behind_a_link(tmp_path):
    for folder in ('project/configs/own', 'disk/deep/configs'):
        (tmp_path / folder).mkdir(parents=True)
    base = tmp_path / 'project/base.py'
    base.touch()
    assert reference_to(base, tmp_path / 'project/configs/own/semi.py') == '../../base.py'
    (tmp_path / 'project/linked').symlink_to(tmp_path / 'disk/deep/configs')
    file = tmp_path / 'project/linked/semi.py'
    found = reference_to(base, file)
    assert found == base.resolve().as_posix()
    assert os.path.isfile(os.path.join(file.parent, found))
