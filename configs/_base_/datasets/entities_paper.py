# Full view; multi-scale training (caption of Table VI; the range is *assumed*, Mask2Former's).
_base_ = './entities.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='CornerCropViews',
        scale=[(640, 1333), (672, 1333), (704, 1333), (736, 1333), (768, 1333), (800, 1333)],
        crops='none'),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(800, 1333), crops='none'),
    dict(type='PackViews'),
]
train_dataloader = dict(batch_size=16, num_workers=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
