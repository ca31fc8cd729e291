"""What was found sound is not opened again: reports of files, kept between starts."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from ...utils import UserError
from ...utils.files import whole_file
from ..sources import FileRules, Source
from .inspection import ORDINARY_IMAGES, FileReport, Problem

FORMAT = 1  # to be raised whenever the checks of one file change
KEPT = ('grey', 'size', 'tones', 'values', 'classes')


class SoundFiles:
    """Reports of images and masks without errors, by path, size and time of change: of one whose file changed there is none.

    Only files that are read by MMSeg's own transforms or this package's are kept: a user's own may change.

    Args:
        folder: Where they are kept, one file for each way of reading.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, dict[str, dict]] = {}
        self._changed: set[str] = set()

    def report(self, source: Source, info: dict) -> FileReport | None:
        """What was seen in an image and its mask; None where they have to be opened."""
        kept = self._entries(source.rules).get(_key(source.rules, info)) if is_kept(source.rules) else None
        if kept is None or kept['stamps'] != _stamps(source.rules, info):
            return None
        report = _from_json(kept['report'])
        problems = [problem._replace(part=source.part) for problem in report.problems]
        mask = info.get('seg_map_path') if source.rules.mask_step else None
        return replace(report, part=source.part, image=info['img_path'], mask=mask, problems=problems)

    def add(self, source: Source, info: dict, report: FileReport) -> None:
        """Keep a report, if it is free of errors."""
        stamps = _stamps(source.rules, info)
        if stamps is None or any(problem.is_error for problem in report.problems) or not is_kept(source.rules):
            return
        entries = self._entries(source.rules)
        entries[_key(source.rules, info)] = dict(stamps=stamps, report=_to_json(report))
        self._changed.add(_name(source.rules))

    def save(self) -> None:
        """Write what was added. Where nothing can be written, the next start opens the files again, and that is all."""
        for name in self._changed:
            try:
                with whole_file(self.folder / name) as partial:
                    partial.write_text(json.dumps(self._read[name]), encoding='utf-8')
            except (OSError, UserError, UnicodeEncodeError):
                continue

    def _entries(self, rules: FileRules) -> dict[str, dict]:
        name = _name(rules)
        if name not in self._read:
            try:
                self._read[name] = dict(json.loads((self.folder / name).read_text(encoding='utf-8')))
            except (OSError, ValueError, TypeError):  # not there, cut off, or of something else
                self._read[name] = {}
        return self._read[name]


def default_folder() -> Path:
    """``simeps_mmseg/checked`` in the user's cache: ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return Path(cache) / 'simeps_mmseg/checked'


def is_kept(rules: FileRules) -> bool:
    """Whether images and masks are read by transforms that do not change under our hands."""
    steps = [(rules.image_step, ORDINARY_IMAGES), (rules.mask_step, ('LoadAnnotations',))]
    return all(step is None or str(step.get('type')).split('.')[-1] in known for step, known in steps)


def _name(rules: FileRules) -> str:
    return hashlib.blake2b(f'{FORMAT} {rules!r}'.encode(), digest_size=12).hexdigest() + '.json'


def _files(rules: FileRules, info: dict) -> Iterator[str]:
    yield info['img_path']
    if rules.mask_step:
        yield info['seg_map_path']


def _key(rules: FileRules, info: dict) -> str:
    return '\n'.join(os.path.abspath(file) for file in _files(rules, info))


def _stamps(rules: FileRules, info: dict) -> list[list[int]] | None:
    """Bytes and time of change of each file; None where one is not there."""
    try:
        return [[(state := os.stat(file)).st_size, state.st_mtime_ns] for file in _files(rules, info)]
    except OSError:
        return None


def _to_json(report: FileReport) -> dict:
    kept = {name: value for name, value in asdict(report).items() if name in KEPT}
    return dict(kept, digest=report.digest and report.digest.hex(), problems=report.problems)


def _from_json(kept: dict) -> FileReport:
    values, classes = ({int(key): count for key, count in kept[name].items()} for name in ('values', 'classes'))
    return FileReport(
        part='',
        image='',
        digest=bytes.fromhex(kept['digest']),
        grey=kept['grey'],
        size=tuple(kept['size']),
        tones=tuple(kept['tones']),
        problems=[Problem(*problem) for problem in kept['problems']],
        values=values,
        classes=classes,
    )
