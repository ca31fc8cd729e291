"""What is wrong with the data of a config, found before it is trained on.

``inspection`` looks at one image and mask, ``files`` opens them, ``sets`` compares what was seen and ``paths`` where the files
are; ``quick`` and ``full`` put these together, ``before_training`` is what a training does.
"""
