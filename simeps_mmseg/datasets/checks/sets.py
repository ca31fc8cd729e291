"""What is wrong with the files of an experiment taken together: pure functions on reports of files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .inspection import LABELED, TEST, TRAINED_ON, VALIDATION, FileReport, Problem


def set_problems(reports: Sequence[FileReport], classes: Sequence[str]) -> list[Problem]:
    """What is wrong with the files taken together; ``classes`` are the names."""
    return [
        *binary_mask_problems(reports),
        *shared_image_problems(reports),
        *repeated_image_problems(reports),
        *defect_free_problems(reports, classes),
        *absent_class_problems(reports, classes),
        *mixed_color_problems(reports),
    ]


def binary_mask_problems(reports: Iterable[FileReport]) -> Iterator[Problem]:
    """Masks that hold 0 and 255 alone: the 255 is meant as a class, but is ignored.

    A part where most masks with 255 have it beside other values uses it on purpose, and nothing is reported of it. Where
    only some have, that cannot be told: warnings.
    """
    with_255: dict[str, list[FileReport]] = defaultdict(list)
    for report in reports:
        if len(report.values) > 1 and report.classes.get(255):  # else it is reported as a value outside the classes
            with_255[report.part].append(report)
    for of_part in with_255.values():
        alone = [report for report in of_part if report.values.keys() == {0, 255}]
        if 2 * len(alone) <= len(of_part):
            continue
        for report in alone:
            share = report.values[255] / sum(report.values.values())
            yield Problem(
                '0/255 mask',
                report.part,
                str(report.mask),
                'class indices (0, 1, ...)',
                f'0 and 255 alone; 255 means ignore, so {share:.1%} of the pixels would teach nothing: '
                'write 1 (or the index of the class) in place of 255',
                len(alone) == len(of_part),
            )


def shared_image_problems(reports: Iterable[FileReport]) -> Iterator[Problem]:
    """Images with the same pixels in two parts.

    An error where an image is trained on and scored; else a warning. Validation and test sets that are one and the same
    are one warning.
    """
    files: dict[bytes, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for report in reports:
        if report.digest is not None:
            files[report.digest][report.part].append(report.image)
    scored = {part: {digest for digest, by_part in files.items() if part in by_part} for part in (VALIDATION, TEST)}
    same = bool(scored[TEST]) and scored[VALIDATION] == scored[TEST]
    if same:
        some = next(files[digest] for digest in scored[TEST])
        yield same_evaluation_problem(len(scored[TEST]), some[TEST][0])
    for by_part in files.values():
        yield from shared_file_problems(by_part, same)


def same_evaluation_problem(count: int, file: str) -> Problem:
    """The problem that validation and test have the same images."""
    found = f'all {count} images also in validation: the best checkpoint is chosen by what it is scored on'
    return Problem('validation is test', TEST, file, 'images of its own', found, False)


def shared_file_problems(by_part: Mapping[str, Sequence[str]], validation_is_test: bool = False) -> Iterator[Problem]:
    """One image that is in several parts, as part to its paths there: a problem for each path that is to go."""
    scored = [part for part in (VALIDATION, TEST) if part in by_part]
    if validation_is_test:
        scored = scored[:1]
    parts = [part for part in TRAINED_ON if part in by_part] + scored
    for index, part in enumerate(parts):
        for other in parts[:index]:
            leak = other in TRAINED_ON and part not in TRAINED_ON
            kind = f'{other} and {part}'
            for path in dict.fromkeys(by_part[part]):
                yield Problem(
                    f'same image: {kind}', part, path, f'no image of the {other} part', by_part[other][0], leak
                )


def repeated_image_problems(reports: Iterable[FileReport]) -> Iterator[Problem]:
    """Images that one part has more than once, by their pixels: a warning for each but the first."""
    first: dict[tuple[str, bytes], str] = {}
    for report in reports:
        if report.digest is None:
            continue
        key = report.part, report.digest
        if key in first:
            yield repeated_image(report.part, report.image, first[key])
        first.setdefault(key, report.image)


def repeated_image(part: str, image: str, earlier: str) -> Problem:
    """The problem that one part has an image twice."""
    found = 'it twice' if earlier == image else f'the same pixels as {earlier}'
    return Problem('repeated image', part, image, 'each image once', found, False)


def defect_free_problems(reports: Sequence[FileReport], classes: Sequence[str]) -> Iterator[Problem]:
    """Validation or test masks without a pixel of any class but the first.

    An error for validation: the scores of all other classes are nan there, so no checkpoint would be the best.
    """
    if len(classes) < 2:
        return
    for part in (VALIDATION, TEST):
        masks = [report.classes for report in reports if report.part == part and report.values]
        seen = {label for classes_of_one in masks for label in classes_of_one if label < len(classes)}
        if masks and seen <= {0}:
            found = (
                f'class 0 ({classes[0]}) alone: the scores of all others are nan, and no checkpoint would be the best'
            )
            yield Problem('no defect', part, f'{len(masks)} masks', 'pixels of a defect', found, part == VALIDATION)


def absent_class_problems(reports: Iterable[FileReport], classes: Sequence[str]) -> Iterator[Problem]:
    """Classes that no labelled pixel shows: a warning."""
    masks = 0
    seen: set[int] = set()
    for report in reports:
        if report.part == LABELED and report.classes:
            masks += 1
            seen |= report.classes.keys()
    for index, name in enumerate(classes if masks else ()):
        if index not in seen:
            expected = f'pixels of class {index} ({name})'
            yield Problem('class absent', LABELED, f'{masks} masks', expected, 'none: it cannot be learnt', False)


def mixed_color_problems(reports: Sequence[FileReport]) -> Iterator[Problem]:
    """Images that are grey where most labelled ones are in colour, or the other way round: a warning each."""
    read = [report for report in reports if report.digest is not None]
    labeled = [report.grey for report in read if report.part == LABELED]
    reference, of = (labeled, f'{LABELED} images') if labeled else ([report.grey for report in read], 'images')
    if len({report.grey for report in read}) < 2:
        return
    grey = 2 * sum(reference) >= len(reference)
    like = f'{"grey" if grey else "colour"}, as {sum(g == grey for g in reference)} of {len(reference)} {of}'
    for report in read:
        if report.grey != grey:
            found = 'grey' if report.grey else 'colour'
            yield Problem('grey and colour mixed', report.part, report.image, like, found, False)
