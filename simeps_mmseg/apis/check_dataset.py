"""Look at every file that a config trains on or is scored on."""

from collections.abc import Iterable, Sequence

from mmengine.config import Config
from prettytable import PrettyTable

from ..datasets.checks.full import batch_size_problems, check_files, sizes_text
from ..datasets.checks.inspection import LABELED, TEST, UNLABELED, VALIDATION, FileReport, Problem
from ..datasets.checks.missing_data import check_data_is_there, leave_out_evaluation_images
from ..datasets.checks.sound_files import SoundFiles, default_folder
from ..datasets.class_weights import class_weights
from ..datasets.listing import listings_kept
from ..datasets.sources import Source, classes_of, find_sources
from ..engine.checks.colors import loaded_image_problems
from ..utils import UserError, counted
from ..utils.config_tree import walk_dicts
from ..utils.configs import load_config


@listings_kept()  # one listing for the checks of files and of what is made of them
def check_dataset(
    config: str, options: Sequence[str] = (), workers: int | None = None, limit: int = 20
) -> list[Problem]:
    """Open every labelled, unlabelled, validation and test file, print a summary and every problem.

    A check that is interrupted goes on where it is called again: what it had found sound, and has not changed, is not opened
    again. One that came to its end begins anew, and a training knows what it found sound.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        options: ``key=value`` changes of the config.
        workers: Processes that open files. None: one per core. 0: none beside the one that was called.
        limit: Problems of a kind that are printed; 0 prints all.

    Returns:
        The warnings.

    Raises:
        UserError: If ``limit`` is negative, data is missing, or after everything was printed if there were errors.
    """
    if limit < 0:
        raise UserError(f'--limit is a number of problems, or 0 for all of them; got {limit}')
    cfg = load_config(config, options)
    leave_out_evaluation_images(cfg)
    check_data_is_there(cfg)
    sources, problems = find_sources(cfg)
    known = SoundFiles(default_folder('interrupted_checks'))
    try:
        reports, found = check_files(sources, workers, known)
    except BaseException:
        known.save()
        raise
    if known.recalled:
        print(f'{counted(known.recalled, "image")} found sound by a check that was interrupted; not opened again')
    known.hand_over(default_folder())  # where a training looks
    problems += [*found, *batch_size_problems(cfg, reports)]
    if not any(problem.is_error for problem in problems):  # images can be loaded
        problems += loaded_image_problems(cfg)
    print(summary(reports, sources))
    if not any(node.get('class_weight') for _, node in walk_dicts(cfg.get('model'))):
        print(weights_advice(reports, sources, has_one_output(cfg)), end='')
    print_problems(problems, limit)
    errors = sum(problem.is_error for problem in problems)
    if errors:
        raise UserError(f'{counted(errors, "error")} in the data of {config}, listed above')
    return problems


# -- all files -------------------------------------------------------------------------------------------------------


def summary(reports: Sequence[FileReport], sources: Sequence[Source]) -> PrettyTable:
    """One row per role: images, sizes, colour, and for each class the share of the pixels that count."""
    classes = classes_of(sources)
    shown = classes if len(classes) <= 12 else ()
    table = PrettyTable(['role', 'images', 'masks', 'sizes', 'grey', *shown])
    table.align = 'r'
    table.align['role'] = 'l'
    for part in (LABELED, UNLABELED, VALIDATION, TEST):
        own = [report for report in reports if report.part == part]
        if not own:
            continue
        counts = pixels_of(own, len(shown))
        total = sum(counts)
        shares = [f'{100 * count / total:.2f} %' if total else '-' for count in counts]
        sizes = {report.size for report in own if report.digest is not None}
        grey = sum(report.grey for report in own if report.digest is not None)
        masks = sum(bool(report.values) for report in own)
        table.add_row([part, len(own), masks, sizes_text(sizes), grey, *shares])
    return table


def pixels_of(reports: Sequence[FileReport], num_classes: int) -> list[int]:
    """Pixels of each class in all masks together."""
    return [sum(report.classes.get(index, 0) for report in reports) for index in range(num_classes)]


def has_one_output(cfg: Config) -> bool:
    """Whether a head tells two classes apart by one output, with a sigmoid."""
    return any(node.get('out_channels') == 1 and 'num_classes' in node for _, node in walk_dicts(cfg.get('model')))


def weights_advice(reports: Sequence[FileReport], sources: Sequence[Source], one_output: bool = False) -> str:
    """A line with class weights where a labelled class has less than 1/64 of the pixels of another; else nothing.

    A head with one output takes one number, the weight of the second class against the first.
    """
    classes = classes_of(sources)
    pixels = pixels_of([report for report in reports if report.part == LABELED], len(classes))
    weights = class_weights(pixels) if any(pixels) else [1.0]
    rare = [name for name, weight in zip(classes, weights) if weight > 8]
    if not rare:
        return ''
    if one_output and len(weights) == 2:
        weights = [float(f'{weights[1] / weights[0]:.2g}')]
    return f'Rare: {", ".join(rare)}. For the cross-entropy (docs/methods.md, When classes vanish): class_weight={weights}\n'


def print_problems(problems: Iterable[Problem], limit: int) -> None:
    """Errors, then warnings, grouped by kind."""
    problems = list(problems)
    for is_error, noun in ((True, 'error'), (False, 'warning')):
        own = [problem for problem in problems if problem.is_error == is_error]
        print(counted(len(own), noun) + (':' if own else ''))
        for kind in dict.fromkeys(problem.kind for problem in own):
            of_kind = [problem for problem in own if problem.kind == kind]
            print(f'  {kind}: {len(of_kind)}')
            shown = of_kind[:limit] if limit else of_kind
            print('\n'.join(f'    - {problem}' for problem in shown))
            if len(of_kind) > len(shown):
                print(f'    - and {len(of_kind) - len(shown)} more; --limit 0 prints all')
