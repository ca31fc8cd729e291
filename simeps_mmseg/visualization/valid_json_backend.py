"""Logs that every reader of JSON takes."""

from pathlib import Path

from mmengine.visualization import LocalVisBackend
from mmseg.registry import VISBACKENDS

from ..utils.valid_json import valid_json


@VISBACKENDS.register_module()
class ValidJsonVisBackend(LocalVisBackend):
    """``LocalVisBackend`` that writes ``null`` in place of NaN and infinity, which are no JSON."""

    def _dump(self, value_dict: dict, file_path: str, file_format: str) -> None:
        with Path(file_path).open('a', encoding='utf-8') as file:
            file.write(valid_json(value_dict) + '\n')
