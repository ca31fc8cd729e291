"""The files that the guard of labels alone keeps in the work folder. Only the main process writes them."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from mmengine.dist import master_only
from mmengine.logging import print_log
from torch import Tensor

from ...deploy.checkpoint import network_states, plain_checkpoint
from ...deploy.labels_only import RECORD, WEIGHTS
from ...utils.checkpoint import read_checkpoint, save_checkpoint
from ...utils.files import whole_file
from ...utils.valid_json import valid_json
from ...utils.weights import check_finite
from .reference import Reference, number

LAST_GOOD = 'last_good.pth'


class GuardFiles:
    """``labels_only.pth``, ``labels_only.json`` and ``last_good.pth``, each written whole or not at all.

    Args:
        folder: The work folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @master_only
    def remove(self) -> None:
        """Remove those of an earlier training."""
        for name in (WEIGHTS, RECORD, LAST_GOOD):
            (self.folder / name).unlink(missing_ok=True)

    @master_only
    def write_record(self, record: Mapping) -> None:
        """Write what came of the training so far."""
        with whole_file(self.folder / RECORD) as partial:
            partial.write_text(valid_json(record, indent=1), encoding='utf-8')

    def keep_network(
        self, state: Mapping[str, Tensor], reference: Reference, student: bool = False, scored: int = 0
    ) -> None:
        """Write the network that is best by a validation, as a plain checkpoint.

        Args:
            state: Of the whole model.
            reference: Its validation.
            student: Whether the branches were validated although they have moving averages.
            scored: Which branch is kept where the validation has no scores of each.
        """
        states = network_states(state, student)
        branches = [number(score) for score in reference.branches]
        index = branches.index(max(branches)) if branches else scored
        meta = dict(iter=reference.iteration, branch=index, scores=dict(reference.metrics))
        self._save(WEIGHTS, plain_checkpoint(states[index], meta))

    def keep_good(self, iteration: int, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Write the weights to go back to.

        Args:
            iteration: Whose they are.
            states: State dicts by their key in checkpoints.
        """
        self._save(LAST_GOOD, dict(meta=dict(iter=iteration), **states))

    def read_good(self, keys: Collection[str], resumed_at: int) -> dict[str, dict[str, Tensor]] | None:
        """The weights to go back to; None where they are not all there. Says if they are of a later iteration."""
        file = self.folder / LAST_GOOD
        content = read_checkpoint(file) if file.is_file() else {}
        if not all(key in content for key in keys):
            return None
        if (kept_at := content['meta']['iter']) > resumed_at:
            print_log(
                f'{file} is of iteration {kept_at}, and the training goes on from {resumed_at}: if it goes back, it goes back '
                'to weights that it had not reached then, so it may end otherwise than without the interruption',
                'current',
                logging.WARNING,
            )
        return {key: content[key] for key in keys}

    @master_only
    def _save(self, name: str, content: dict) -> None:
        check_finite(content['state_dict'], f'{self.folder / name} would be of weights that are of no use: the network')
        with whole_file(self.folder / name) as partial:
            save_checkpoint(content, partial)
