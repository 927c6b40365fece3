# Full view and one random corner crop in training, all four corner crops in test (paper 4.1).
_base_ = './entities.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(96, 96), crops='random', ratio=0.7),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(96, 96), crops='all', ratio=0.7),
    dict(type='PackViews'),
]
train_dataloader = dict(
    num_workers=1, persistent_workers=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, max_images=50))
