"""What a confusion matrix says of each defect."""

from collections.abc import Sequence

import numpy as np

from .finding import Finding, by_severity

FEW_IMAGES = 30


def score_findings(matrix: np.ndarray, classes: Sequence[str], num_images: int) -> list[Finding]:
    """What a confusion matrix says of each defect.

    Args:
        matrix: Pixels by true (rows) and predicted class, shape (C, C); class 0 is background.
        classes: C names.
        num_images: How many images were looked at.
    """
    found = []
    not_shown = [name for index, name in enumerate(classes) if index and not matrix[index].sum()]
    if not_shown:
        found.append(Finding(False, f'No image shows {", ".join(not_shown)}, so nothing is known of that.'))
    for index, name in enumerate(classes[1:], 1):
        actual, predicted, correct = matrix[index].sum(), matrix[:, index].sum(), matrix[index, index]
        others = np.arange(len(classes)) != index
        if actual and (lost := 1 - correct / actual) > 0.3:
            taken = classes[int(np.argmax(np.where(others, matrix[index], -1)))]
            found.append(
                Finding(
                    lost > 0.5, f'{lost:.0%} of the pixels of {name} are not recognised; most are taken for {taken}.'
                )
            )
        if predicted and (false := 1 - correct / predicted) > 0.4:
            truth = classes[int(np.argmax(np.where(others, matrix[:, index], -1)))]
            found.append(
                Finding(false > 0.6, f'{false:.0%} of what is called {name} is something else, mostly {truth}.')
            )
    if num_images < FEW_IMAGES:
        found.append(Finding(False, f'The scores are of few images ({num_images}); they may be off by several points.'))
    return by_severity(found)
