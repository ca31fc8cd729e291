"""What the weights do to whole parts: defects that are missed, good parts that are rejected."""

from collections.abc import Iterator, Sequence

from ..evaluation.part_decisions import PartErrors, in_words, percent_of
from .finding import Finding
from .page import Section, Table, Text

TITLE = 'Missed defects and rejected good parts'
AREAS = (1, 10, 30, 100, 300, 1000)  # pixels of the smallest region that counts, as examples
RULE = (
    'A part is rejected where the prediction has a connected region of at least this many pixels of any defect class; '
    'simeps predict --min-area lists the same regions. It is the part that counts, not the place or the kind: a part with a '
    'defect that is rejected for something else on it is not missed.'
)
TRADE_OFF = (
    'With a larger smallest region fewer good parts are rejected and more defects are missed. Choose it on validation '
    'images{who}; val_evaluator.min_area then makes the training report both errors with it.'
)


def part_section(
    errors: Sequence[PartErrors],
    names: Sequence[str],
    classes: Sequence[str],
    trade_offs: Sequence[Sequence[PartErrors]],
) -> Section:
    """Both errors in words, for the model and each branch, by class, and for several smallest regions.

    Args:
        errors: For each of ``names``.
        names: Who decides: the model, then each branch.
        classes: Names, background first.
        trade_offs: Errors for several smallest regions, for each of ``names``.
    """
    first = errors[0]
    by_class = [
        [name, share_in_words(missed, showing)]
        for name, missed, showing in zip(classes[1:], first.missed_showing, first.showing)
    ]
    return Section(
        TITLE,
        [
            Text(f'{in_words(first)[0].upper()}{in_words(first)[1:]}. {RULE}'),
            Table(
                ['', 'defective parts missed', 'good parts rejected'],
                [[name, *both_in_words(own)] for name, own in zip(names, errors)],
            ),
            Table(['defect', 'parts that show it and are missed'], by_class, f'By class, of the {names[0]}.'),
            *(
                Table(
                    ['smallest region that counts', 'defective parts missed', 'good parts rejected'],
                    [[f'{own.min_area:,} px', *both_in_words(own)] for own in of_one],
                    f'How the two errors trade: {name}.',
                )
                for name, of_one in zip(names, trade_offs)
            ),
            Text(TRADE_OFF.format(who=', for the network that simeps export names' if len(names) > 1 else '')),
        ],
    )


def part_facts(errors: PartErrors) -> list[tuple[str, str]]:
    """Names and values of both errors, for the lines at the head of the page."""
    missed, rejected = both_in_words(errors)
    return [('Defective parts missed', missed), ('Good parts rejected', rejected)]


def part_findings(errors: PartErrors, classes: Sequence[str]) -> Iterator[Finding]:
    """Classes whose parts are all missed, and what the images cannot tell."""
    for name, missed, showing in zip(classes[1:], errors.missed_showing, errors.showing):
        if showing and missed == showing:
            parts = f'All {showing} parts that show {name} are' if showing > 1 else f'The one part that shows {name} is'
            yield Finding(True, f'{parts} missed: nothing on them is called a defect.')
    if not errors.good:
        yield Finding(
            False,
            'No image is without a defect, so nothing is known of how many good parts are rejected: add good parts to the '
            'validation images.',
        )


def both_in_words(errors: PartErrors) -> tuple[str, str]:
    """The two errors as cells of a table."""
    return share_in_words(errors.missed, errors.defective), share_in_words(errors.rejected, errors.good)


def share_in_words(part: int, whole: int) -> str:
    """A count and its share.

    Example:
        >>> share_in_words(3, 47)
        '3 of 47 (6.4 %)'
        >>> share_in_words(0, 0)
        'there are none'
    """
    return f'{part} of {whole} ({percent_of(part, whole):.1f} %)' if whole else 'there are none'
