import pytest
from PIL import Image

from simeps_mmseg.apis.demo import run_demo


@pytest.mark.slow
def test_demo_writes_its_table_and_picture(tmp_path, capsys):
    picture = run_demo(tmp_path, iters=3)
    assert 'What to label next' in (tmp_path / 'simeps_plus/report.html').read_text()
    printed = capsys.readouterr().out
    for name in ('labels only', 'simEps-plus', 'branch 2 alone'):
        assert name in printed
    with Image.open(picture) as image:
        assert min(image.size) > 500
