_base_ = '../../../configs/_base_/datasets/defect.py'

source = dict(
    type='BaseSegDataset',
    data_root='data/leather',
    img_suffix='.png',
    seg_map_suffix='.png',
    metainfo=dict(
        classes=('background', 'cut', 'hole', 'line', 'wrinkle'),
        palette=[[0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115], [204, 121, 167]],
    ),
)
train_dataloader = dict(dataset=dict(**source, ann_file='splits/seed0/10pct_labeled.txt'))
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
