"""What was found sound is not opened again: reports of files, kept between starts."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree

from ..sources import FileRules, Source
from .inspection import ORDINARY_IMAGES, FileReport, Problem

FORMAT = 2  # to be raised whenever the checks of one file change
KEPT = ('grey', 'size', 'tones', 'values', 'classes')


class SoundFiles:
    """Reports of images and masks without errors, by path, size and time of change: of one whose file changed there is none.

    Only files that are read by MMSeg's own transforms or this package's are kept: a user's own may change.

    Args:
        folder: Where they are kept, one file for each way of reading: a JSON line a report, the newest last.

    Attributes:
        recalled: How many reports were given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recalled = 0
        self._known: dict[str, dict[str, str]] = {}  # by file, then by key: text takes a fifth of what is read from it
        self._new: dict[str, list[str]] = defaultdict(list)

    def report(self, source: Source, info: dict) -> FileReport | None:
        """What was seen in an image and its mask; None where they have to be opened."""
        text = self._entries(source.rules).get(_key(source.rules, info)) if is_kept(source.rules) else None
        if text is None:
            return None
        _, stamps, kept = json.loads(text)
        if stamps != _stamps(source.rules, info):
            return None
        self.recalled += 1
        report = _from_json(kept)
        problems = [problem._replace(part=source.part) for problem in report.problems]
        mask = info.get('seg_map_path') if source.rules.mask_step else None
        return replace(report, part=source.part, image=info['img_path'], mask=mask, problems=problems)

    def add(self, source: Source, info: dict, report: FileReport) -> None:
        """Keep a report, if it is free of errors."""
        stamps = _stamps(source.rules, info)
        if stamps is None or any(problem.is_error for problem in report.problems) or not is_kept(source.rules):
            return
        key = _key(source.rules, info)
        text = json.dumps([key, stamps, _to_json(report)])
        self._entries(source.rules)[key] = text
        self._new[_name(source.rules)].append(text)

    def save(self) -> None:
        """Write what was added. Where nothing can be written, the next start opens the files again, and that is all."""
        for name, lines in self._new.items():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with (self.folder / name).open('a', encoding='utf-8') as file:
                    # First the end of a line that was cut off, as is the last one of a process that was killed.
                    file.write(''.join(f'\n{line}' for line in lines))
            except OSError:
                continue
        self._new.clear()

    def hand_over(self, folder: Path) -> None:
        """Move the reports to another folder; of those that are there already, only what has changed."""
        other = SoundFiles(folder)
        for name, entries in self._known.items():
            kept = other._entries_in(name)
            other._new[name] += [text for key, text in entries.items() if kept.get(key) != text]
        other.save()
        self.forget()

    def forget(self) -> None:
        """Remove the files."""
        self._known.clear()
        self._new.clear()
        rmtree(self.folder, ignore_errors=True)

    def _entries(self, rules: FileRules) -> dict[str, str]:
        return self._entries_in(_name(rules))

    def _entries_in(self, name: str) -> dict[str, str]:
        if name not in self._known:
            try:
                lines = (self.folder / name).read_bytes().decode('utf-8', 'replace').split('\n')
            except OSError:
                lines = []
            self._known[name] = dict(filter(None, map(_keyed, lines)))
        return self._known[name]


def _keyed(line: str) -> tuple[str, str] | None:
    """A line by its key; None where it was cut off, or is of something else."""
    try:
        key, _, _ = json.loads(line)
    except (ValueError, TypeError):
        return None
    return (key, line) if isinstance(key, str) else None


def default_folder(name: str = 'checked') -> Path:
    """A folder in ``simeps_mmseg`` in the user's cache: ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return Path(cache) / 'simeps_mmseg' / name


def is_kept(rules: FileRules) -> bool:
    """Whether images and masks are read by transforms that do not change under our hands."""
    steps = [(rules.image_step, ORDINARY_IMAGES), (rules.mask_step, ('LoadAnnotations',))]
    return all(step is None or str(step.get('type')).split('.')[-1] in known for step, known in steps)


def _name(rules: FileRules) -> str:
    return hashlib.blake2b(f'{FORMAT} {rules!r}'.encode(), digest_size=12).hexdigest() + '.jsonl'


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
