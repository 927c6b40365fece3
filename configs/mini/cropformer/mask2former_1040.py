# The row at 1.3 times the base size: 128 px standing for (1040, 1732).
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_mini.py', '../../_base_/schedules/mini.py'
]

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(128, 128), crops='none'),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(128, 128), crops='none'),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
