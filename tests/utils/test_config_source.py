"""The source text of a config."""

from simeps_mmseg.utils.config_source import config_text


def test_values_read_back():
    value = dict(a=[1, (2,), 'x' * 60], b={'c-d': dict(e=None, f='y' * 60)}, g=())
    text = config_text(dict(value=value, again=value))
    names = {}
    exec(text, names)
    assert names['value'] == names['again'] == value
    assert max(map(len, text.splitlines())) <= 100
