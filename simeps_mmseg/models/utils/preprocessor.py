"""One data preprocessor for all branches, from the config of the whole and those of the branches."""

import logging

from mmengine.logging import print_log

NORMALISATION = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')


def merge_preprocessors(preprocessor: dict | None, of_branch: dict | None) -> dict | None:
    """The preprocessor of a whole model: what is given for it, overridden by that of its first branch."""
    if not preprocessor or not of_branch or preprocessor.get('type') != of_branch.get('type'):
        return preprocessor or of_branch
    return {**preprocessor, **of_branch}


def warn_of_other_preprocessors(preprocessors: list[dict | None], shared: dict) -> None:
    """Warn of branches whose own preprocessor normalises otherwise: all branches get the images of the shared one."""
    for k, own in enumerate(preprocessors):
        differing = [key for key in NORMALISATION if own and own.get(key) != shared.get(key)]
        if own and differing:
            values = '; '.join(f'{key}={own.get(key)}, there {shared.get(key)}' for key in differing)
            print_log(
                f'model.branches[{k}].data_preprocessor is not the one whose images all branches get: {values}. '
                'Pretrained weights may expect their own',
                logger='current',
                level=logging.WARNING,
            )
