# Classes and losses of Magnetic Tile. Class weights: (pixels of the background / pixels of the class) ** 0.5 in the labelled
# images of splits/seed0/10pct. Without them crack, blowhole and fray are hardly learned: docs/results.md.
magnetic_tile_head = dict(
    num_classes=6,
    loss_decode=[
        dict(type='CrossEntropyLoss', loss_weight=0.5, class_weight=[1, 57, 7.3, 48, 9.6, 4.0]),
        dict(type='SoftDiceLoss', loss_weight=0.5),
    ],
)
