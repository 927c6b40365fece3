# Full view and corner crops of ratio 0.7, both at the same size (paper 4.1 and Table VI).
_base_ = './entities.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='CornerCropViews',
        scale=[(640, 1333), (672, 1333), (704, 1333), (736, 1333), (768, 1333), (800, 1333)],
        crops='random',
        ratio=0.7),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(800, 1333), crops='all', ratio=0.7),
    dict(type='PackViews'),
]
train_dataloader = dict(batch_size=16, num_workers=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
