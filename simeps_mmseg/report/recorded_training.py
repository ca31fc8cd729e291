"""A training as its work folder records it: log, config and checkpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..deploy import find_checkpoint, read_checkpoint
from ..deploy.labels_only import WEIGHTS, read_record
from ..deploy.stock_config import branch_configs
from ..utils import UserError
from ..utils.config_tree import walk_values
from ..utils.configs import load_config, merge_options
from ..visualization.config_beside import config_beside
from ..visualization.training_log import TrainingLog, read_training_log
from .finding import RunContext
from .model_name import method_name, network_name
from .validation_config import decided_by
from .validation_findings import deciding_score

NAME_THE_CONFIG = 'name that of the training, if you trust it, with --config'


@dataclass
class RecordedTraining:
    """What a work folder holds of a training.

    Attributes:
        work_dir: The folder.
        log: What was logged.
        cfg: The config that was given, or the one beside the log; None if there is none that can be read.
        why: Why there is none.
    """

    work_dir: Path
    log: TrainingLog
    cfg: Config | None
    why: str

    @classmethod
    def read(cls, work_dir: Path, config: str | None, options: Sequence[str]) -> 'RecordedTraining':
        """Read a work folder, with a config in place of the one beside the log; ``options`` are changes of it.

        Raises:
            UserError: If there is no log, or the given config cannot be read.
        """
        log = read_training_log(work_dir)
        if config is not None:
            return cls(work_dir, log, load_config(config, options), '')
        try:
            cfg = config_beside(work_dir, NAME_THE_CONFIG)
        except UserError as error:  # more than plain values, which would have to be run
            return cls(work_dir, log, None, f'The config beside the log cannot be read here: {error}.')
        if cfg is None:
            return cls(work_dir, log, None, f'No config lies beside the log (vis_data/config.py): {NAME_THE_CONFIG}.')
        merge_options(cfg, options)
        return cls(work_dir, log, cfg, '')

    @property
    def decided_by(self) -> str | None:
        """The score that chose the best checkpoint, as far as that is known."""
        return None if self.cfg is None else decided_by(self.cfg)

    @property
    def starving_rule(self) -> dict[str, float]:
        """When a class starves, as far as the config of the training says it (``SemiSupervisedHook``)."""
        hooks = [] if self.cfg is None else self.cfg.get('custom_hooks') or []
        given: dict = next((hook for hook in hooks if hook.get('type') == 'SemiSupervisedHook'), {})
        return {name: given[name] for name in ('starving', 'starving_after_share') if name in given}

    @property
    def has_class_weights(self) -> bool:
        """Whether a loss of the model weighs classes."""
        values = () if self.cfg is None else walk_values(self.cfg.model)
        return any(name == 'class_weight' and value is not None for _, name, value in values)

    @property
    def title(self) -> str:
        """Method and network; the name of the work folder where there is no config."""
        if self.cfg is None:
            return self.work_dir.resolve().name
        return f'{method_name(self.cfg.model)}: {network_name(self.cfg.model)}'

    def checkpoint(self, wanted: str | None) -> tuple[Path | None, str]:
        """Path of the weights that are shown, or None; and the reason, where better ones cannot be loaded."""
        if self.cfg is None:
            return None, f'{self.why} So the model cannot be built.'
        if wanted:
            return find_checkpoint(wanted), ''
        pointer = self.work_dir / 'last_checkpoint'
        last = Path(pointer.read_text().strip()).name if pointer.is_file() else ''  # empty where a crash cut it off
        candidates = [
            *_newest_first(self.work_dir.glob('best_*.pth')),
            *([self.work_dir / last] if (self.work_dir / last).is_file() else []),
            *_newest_first(self.work_dir.glob('*_*.pth')),
        ]
        candidates = [file for file in candidates if file.name != WEIGHTS]  # a plain network, not the whole model
        damaged = []
        for file in dict.fromkeys(candidates):
            try:
                read_checkpoint(file)
            except UserError as error:
                damaged.append(str(error).splitlines()[0])
                continue
            return file, '; '.join(damaged)
        if damaged:
            return None, 'No checkpoint can be loaded: ' + '; '.join(damaged)
        return None, (
            f'There is no checkpoint in {self.work_dir}: the training ended before its first one '
            '(default_hooks.checkpoint.interval), or they were moved (--checkpoint FILE).'
        )

    def context(self, weights: Path | None) -> RunContext:
        """What the findings have to know beside the log; ``weights`` are those that are shown."""
        train_cfg = self.cfg.get('train_cfg') or {} if self.cfg is not None else {}
        return RunContext(
            max_iters=train_cfg.get('max_iters'),
            max_epochs=train_cfg.get('max_epochs'),
            has_checkpoint=weights is not None,
            keeps_best=weights is not None and weights.name.startswith('best_'),
            networks=0 if self.cfg is None else len(branch_configs(self.cfg.model)),
            decided_by=self.decided_by,
            labels_only=read_record(self.work_dir),
            has_class_weights=self.has_class_weights,
            **self.starving_rule,
        )

    def facts(self, weights: Path | None) -> list[tuple[str, str]]:
        """Name and value of each line at the head of the page."""
        wanted = (self.cfg.get('train_cfg') or {}).get('max_iters') if self.cfg is not None else None
        done = f'{self.log.last_step:,}' + (f' of {wanted:,}' if wanted else '')
        facts = [('Iterations', done)]
        key = deciding_score(self.log, self.decided_by)
        if key:
            steps, values = self.log.series(key, 'val')
            shown = f'{values[-1]:.1f} % {key} at iteration {int(steps[-1]):,}'
            facts.append(('Last validation', shown))
        seconds = self.log.series('time')[1]
        if len(seconds):
            hours = np.median(seconds) * self.log.last_step / 3600
            spent = f'{hours:.1f} hours' if hours >= 1 else f'{60 * hours:.0f} minutes'
            facts.append(('Time of training', f'about {spent} at {np.median(seconds):.2f} s an iteration'))
        memory = self.log.series('memory')[1]
        if len(memory):
            facts.append(('Peak memory of the device', f'{memory.max():,.0f} MiB'))
        facts.append(('Weights', weights.name if weights else 'none'))
        return facts


def _newest_first(files: Iterable[Path]) -> list[Path]:
    """Files by falling time of change; links that lead nowhere are left out."""
    return sorted(filter(Path.is_file, files), key=lambda file: file.stat().st_mtime, reverse=True)
