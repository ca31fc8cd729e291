_base_ = '../../../configs/_base_/datasets/defect.py'

source = dict(
    type='BaseSegDataset',
    data_root='data/metal_plates',
    img_suffix='.png',
    seg_map_suffix='.png',
    metainfo=dict(
        classes=('background', 'defect'),
        palette=[[0, 0, 0], [230, 159, 0]],
    ),
)
# 9 images, 4 or 5 of them with defects.
train_dataloader = dict(dataset=dict(**source, ann_file='splits/seed0/10pct_labeled.txt'))
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
