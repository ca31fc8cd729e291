"""How much branches differ in what they get wrong, over the pixels of the test set.

    python benchmarks/branch_errors.py CONFIG CHECKPOINT [CHECKPOINT ...] --cfg-options KEY=VALUE

Checkpoints without averages, such as those of ``make_semi --checkpoint A B C``, take ``--cfg-options model.teacher=None``.
Branches whose errors are the same teach each other nothing, and together are no better than one.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.runner import Runner
from torch import Tensor

from simeps_mmseg.datasets.checks.missing_data import check_data_is_there
from simeps_mmseg.deploy.stock_config import number_of_branches
from simeps_mmseg.inference.loading import load_model
from simeps_mmseg.utils import UserError, report_user_errors
from simeps_mmseg.utils.checkpoint import read_checkpoint
from simeps_mmseg.utils.configs import load_config

HEADINGS = (
    'wrong, one branch',
    'wrong, all together',
    'two branches differ',
    'of the wrong ones, wrong alike in another',
)


@dataclass
class BranchErrors:
    """Numbers of pixels; those of one branch and of two are means over the branches and their pairs."""

    pixels: float = 0
    wrong: float = 0
    wrong_together: float = 0
    different: float = 0
    shared: float = 0

    def __add__(self, other: 'BranchErrors') -> 'BranchErrors':
        return BranchErrors(*(one + more for one, more in zip(astuple(self), astuple(other))))

    def shares(self) -> list[float]:
        """What :data:`HEADINGS` name, in per cent: three of all pixels, one of the wrong ones."""
        of_all = [100 * count / self.pixels for count in (self.wrong, self.wrong_together, self.different)]
        return [*of_all, 100 * self.shared / self.wrong if self.wrong else float('nan')]


def branch_errors(branches: Tensor, together: Tensor, target: Tensor, ignore_index: int = 255) -> BranchErrors:
    """The errors in one image.

    Args:
        branches: Label maps (K, h, w) of two branches or more.
        together: Label map (h, w) of their ensemble.
        target: Label map (h, w).
        ignore_index: Pixels of ``target`` that do not count.

    Example:
        >>> branches = torch.tensor([[[1, 0, 2]], [[1, 0, 0]]])
        >>> branch_errors(branches, branches[1], torch.tensor([[0, 0, 0]]))
        BranchErrors(pixels=3, wrong=1.5, wrong_together=1, different=1.0, shared=1.0)
    """
    counts = target != ignore_index
    wrong = (branches != target) & counts
    pairs = list(combinations(range(len(branches)), 2))
    differ = [((branches[i] != branches[j]) & counts).sum().item() for i, j in pairs]
    shared = [(wrong[i] & (branches[i] == branches[j])).sum().item() for i, j in pairs]
    return BranchErrors(
        pixels=int(counts.sum()),
        wrong=wrong.sum().item() / len(branches),
        wrong_together=int(((together != target) & counts).sum()),
        different=sum(differ) / len(pairs),
        shared=sum(shared) / len(pairs),
    )


def errors_on_test_set(config: str, checkpoint: str, options: Iterable[str]) -> BranchErrors:
    """The errors over the test set of a config.

    Raises:
        UserError: If the config is not of several branches, or something is not there.
    """
    cfg = load_config(config, ['model.test_cfg.branch_predictions=True', *options])
    if number_of_branches(cfg.model) < 2:
        raise UserError(f'{config} has no branches to compare')
    check_data_is_there(cfg, ('test_dataloader',))
    model = load_model(cfg, read_checkpoint(checkpoint))
    found = BranchErrors()
    with torch.no_grad():
        for batch in Runner.build_dataloader(cfg.test_dataloader):
            for sample in model.test_step(batch):
                together, target = (part.data[0].cpu() for part in (sample.pred_sem_seg, sample.gt_sem_seg))
                found += branch_errors(sample.pred_sem_seg_branches.data.cpu(), together, target, model.ignore_index)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = parser.parse_args()

    def run() -> None:
        print(f'| % of the pixels | {" | ".join(HEADINGS)} |\n|{"---|" * (len(HEADINGS) + 1)}')
        for checkpoint in args.checkpoints:
            shares = errors_on_test_set(args.config, checkpoint, args.cfg_options).shares()
            print(f'| `{checkpoint}` | {" | ".join(f"{share:.2f}" for share in shares)} |', flush=True)

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
