"""Numbers of things in a sentence."""


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> counted(1, 'record'), counted(0, 'record')
        ('1 record', '0 records')
    """
    return f'{count} {noun}' if count == 1 else f'{count} {noun}s'
