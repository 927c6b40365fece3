# Panoptic data of the generated worlds, trained with classes and validated as entities.
_base_ = './entities_mini.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(96, 96), crops='none'),
    dict(type='PackClassViews'),
]
train_dataloader = dict(
    dataset=dict(
        type='ClassImageDataset', num_things=32, num_stuff=14, pipeline=train_pipeline))
