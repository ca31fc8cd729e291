"""Records of predictions."""

from simeps_mmseg.inference.records import read_records


def test_records_that_are_not_there(tmp_path):
    assert read_records(tmp_path / 'none.jsonl', {}, overlays=True) == []
