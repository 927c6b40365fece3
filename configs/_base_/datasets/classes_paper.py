# COCO's panoptic data, trained with classes and validated as entities.
_base_ = './entities_paper.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='CornerCropViews',
        scale=[(640, 1333), (672, 1333), (704, 1333), (736, 1333), (768, 1333), (800, 1333)],
        crops='none'),
    dict(type='PackClassViews'),
]
train_dataloader = dict(
    dataset=dict(
        type='ClassImageDataset', num_things=80, num_stuff=53, pipeline=train_pipeline))
