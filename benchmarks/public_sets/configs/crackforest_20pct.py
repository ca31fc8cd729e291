_base_ = '../../../configs/_base_/datasets/defect.py'

source = dict(
    type='BaseSegDataset',
    data_root='data/crackforest',
    img_suffix='.jpg',
    seg_map_suffix='.png',
    metainfo=dict(
        classes=('background', 'crack'),
        palette=[[0, 0, 0], [230, 159, 0]],
    ),
)
# 10 % would be 7 images.
train_dataloader = dict(dataset=dict(**source, ann_file='splits/seed0/20pct_labeled.txt'))
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
