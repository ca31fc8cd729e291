"""Files by their paths."""

import os
from types import SimpleNamespace

from simeps_mmseg.datasets.checks.paths import files_there


def test_a_name_in_other_letters_is_there_where_the_file_system_takes_it(tmp_path, monkeypatch):
    (tmp_path / 'a.png').touch()
    infos = [
        dict(img_path=f'{tmp_path}/{name}', seg_map_path=f'{tmp_path}/a.png') for name in ('a.png', 'A.PNG', 'b.png')
    ]
    source = SimpleNamespace(infos=infos, rules=SimpleNamespace(mask_step=dict(type='LoadAnnotations')))
    lexists = os.path.lexists
    images, masks = files_there(source)
    assert images.tolist() == [True, lexists(infos[1]['img_path']), False]
    monkeypatch.setattr(os.path, 'lexists', lambda path: lexists(path[: -len('A.PNG')] + path[-len('A.PNG') :].lower()))
    images, masks = files_there(source)
    assert images.tolist() == [True, True, False]
    assert masks.all()
