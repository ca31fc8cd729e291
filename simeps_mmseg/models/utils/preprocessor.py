"""One data preprocessor for all branches, from the config of the whole and those of the branches."""

import logging

from mmengine.logging import print_log

from ...utils.config_tree import type_name

NORMALISATION = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')


def merge_preprocessors(preprocessor: dict | None, of_branch: dict | None) -> dict | None:
    """The preprocessor of a whole model: what is given for it, overridden by that of its first branch.

    One of another type has other options, so that of the branch then stands alone.
    """
    if not preprocessor or not of_branch or not same_type(preprocessor, of_branch):
        return of_branch or preprocessor
    return {**preprocessor, **of_branch}


def same_type(one: dict, other: dict) -> bool:
    """Whether two configs name one class, with or without its scope."""
    return type_name(one.get('type', '')) == type_name(other.get('type', ''))


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
