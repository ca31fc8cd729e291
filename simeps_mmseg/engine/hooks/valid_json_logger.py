"""Scores of a test as JSON that every reader takes."""

from typing import Any

from mmengine.hooks import LoggerHook
from mmseg.registry import HOOKS

from ...utils.valid_json import nulled


@HOOKS.register_module()
class ValidJsonLoggerHook(LoggerHook):
    """``LoggerHook`` whose file of a test has ``null`` in place of NaN and infinity, which are no JSON."""

    @staticmethod
    def _process_tags(tags: dict) -> Any:
        return nulled(LoggerHook._process_tags(tags))
