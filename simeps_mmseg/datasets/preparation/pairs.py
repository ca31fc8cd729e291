"""Which mask belongs to which image."""


def pair_by_name(images: dict[str, str], masks: dict[str, str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Pair files by name, never by position.

    Args:
        images: File by name.
        masks: File by name.

    Returns:
        Sorted ``(name, image, mask)``, and one problem for each image without a mask or mask without an image.
    """
    pairs = [(name, images[name], masks[name]) for name in sorted(images.keys() & masks.keys())]
    problems = [f'{images[name]}: no mask of that name' for name in sorted(images.keys() - masks.keys())]
    problems += [f'{masks[name]}: no image of that name' for name in sorted(masks.keys() - images.keys())]
    return pairs, problems
