"""What compare.py tells the process of a run, and what that one answers."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.protocols import name_of

DONE, FAILED, UNFINISHED, BUSY = 0, 1, 75, 76  # exit codes


@dataclass
class Place:
    """Where and with what a run is trained: nothing here may change its result, but for what a slice costs (state.py).

    Attributes:
        data_root: Folder that prepare_data.py wrote to.
        work_dir: Parent of the run's work folder.
        results: File of the finished runs' lines.
        state: Folder for the state of unfinished runs between slices, if any.
        end: When the run has to stop, in seconds since 1970: its imports, and its waiting for others, count. None: never.
        threads: Of PyTorch on the CPU; None: as it comes.
        workers: That load images.
        jobs: Runs at a time, for the line: times of steps are measured under that load.
        keep_weights: Whether to keep the last weights of a finished run.
    """

    data_root: str = 'data'
    work_dir: str = 'work_dirs/compare'
    results: str = 'results.jsonl'
    state: str | None = None
    end: float | None = None
    threads: int | None = None
    workers: int = 1
    jobs: int = 1
    keep_weights: bool = False

    def folder(self, run: dict) -> Path:
        """The work folder of a run."""
        return Path(self.work_dir).absolute() / name_of(run)

    def state_file(self, run: dict) -> Path | None:
        return Path(self.state) / f'{name_of(run)}.pth' if self.state else None


def task(run: dict, place: Place) -> str:
    """What one_run.py takes as its argument."""
    return json.dumps(dict(run=run, place=asdict(place)))
