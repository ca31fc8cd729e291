"""Everything that a semi-supervised config will say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..datasets.labeled_unlabeled_configs import labeled_and_unlabeled
from ..datasets.unlabeled_pipeline import steps_that_ask_for_masks
from ..utils.config_tree import leaf_configs
from . import statements
from .inputs import check_unlabeled, refer
from .labeled_part import restricted, restrictions

LABELED = '_base_.train_dataloader.dataset'


@dataclass
class Plan:
    """A conversion.

    Attributes:
        base: The supervised config.
        reference: How it is referred to.
        method: File of what is put around its model.
        unlabeled: Folder of unlabelled images.
        images: Its images.
        labeled: What the labelled part is restricted to.
        suffixes: Suffixes of the unlabelled images.
        start: Checkpoint of the supervised config that every branch starts from.
    """

    base: Config
    reference: str
    method: Path
    unlabeled: str
    images: Sequence[str]
    labeled: Sequence[str] = ()
    suffixes: Sequence[str] = ()
    start: Path | None = None

    def text(self, out: Path, excluded: Sequence[str] = ()) -> str:
        """The config; ``excluded`` are the expressions of data sets whose images are not to be unlabelled ones."""
        base, dataset = self.base, self.base.train_dataloader.dataset
        init_default_scope(base.get('default_scope') or 'mmseg')
        labeled = restricted(LABELED, dataset, iter(restrictions(dataset, self.labeled))) if self.labeled else LABELED
        found = self.unlabeled_leaf().get('suffixes')
        if found and not self.suffixes:
            check_unlabeled(self.unlabeled, found)
        sections = [
            statements.inheritance(base, [self.reference, refer(self.method, out)]),
            statements.model(base, self.start),
            statements.loader(base, labeled, self.source, excluded),
            statements.scores(base),
            statements.schedule(base),
        ]
        title = f'# {Path(self.reference).name} with unlabelled images, by {self.method.stem}. Written by make_semi.'
        parts = ['\n'.join(one.text() for one in section) for section in sections]
        return title + '\n' + '\n\n'.join(part for part in parts if part) + '\n'

    @property
    def source(self) -> str | dict:
        """The folder, or where its suffixes are given the config of a source."""
        if not self.suffixes:
            return self.unlabeled
        return dict(type='UnlabeledFolderDataset', data_root=self.unlabeled, suffixes=list(self.suffixes))

    def unlabeled_leaf(self) -> dict:
        """Config of the unlabelled data set, without wrappers."""
        _, unlabeled = labeled_and_unlabeled(self.base.train_dataloader.dataset, self.source)
        return leaf_configs(unlabeled)[0]

    def notes(self) -> list[str]:
        """What the user should know."""
        image = str(Path(self.unlabeled) / self.images[0])
        asking = steps_that_ask_for_masks(self.unlabeled_leaf()['pipeline'], image)
        asked = [f'{", ".join(asking)} ask for a mask and are left out of the unlabelled pipeline'] if asking else []
        return [*asked, *statements.notes(self.base, self.start)]
