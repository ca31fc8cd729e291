"""Which images and videos a path or a pattern names, and what their results are called."""

import pytest

from simeps_mmseg.inference.inputs import find_inputs, output_names


def test_names_below_the_fixed_part_of_a_pattern(tmp_path):
    for name in ('x/1/a.png', 'x/2/a.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    root, sources = find_inputs(str(tmp_path / 'x/*/a.png'), results=tmp_path / 'out')
    assert root == tmp_path / 'x'
    assert [source.output for source in sources] == ['1/a', '2/a']


@pytest.mark.parametrize(
    ('names', 'outputs'),
    [
        (['a.jpg', 'b/a.jpg'], ['a', 'b/a']),
        (['a.jpg', 'a.png', 'b.png'], ['a.jpg', 'a.png', 'b']),
        (['belt.mp4', 'belt/000000.png'], ['belt.mp4', 'belt/000000']),
        (['a.jpg', 'a.jpg.png', 'a.png'], ['a.jpg', 'a.jpg.png', 'a.png']),
    ],
)
def test_each_file_has_results_of_its_own(names, outputs):
    assert output_names(names) == outputs
