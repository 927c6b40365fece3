# Table VI, mask2former-2700: the native 256 px standing for (2700, 4500).
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_mini.py', '../../_base_/schedules/mini.py'
]

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(256, 256), crops='none'),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(256, 256), crops='none'),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
