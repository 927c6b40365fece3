# Full view of at most 96 x 96 pixels, batches of 8, a validation of 50 images.
_base_ = './entities.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(96, 96), crops='none'),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(96, 96), crops='none'),
    dict(type='PackViews'),
]
train_dataloader = dict(
    num_workers=1, persistent_workers=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, max_images=50))
