# One object a picture, DIS5K's splits, at IS-Net's size of 1,024 px (*assumed*).
_base_ = './entities_paper.py'

train_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='CornerCropViews', scale=(1024, 1024), crops='none'),
    dict(type='PackViews'),
]
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(1024, 1024), crops='none'),
    dict(type='PackViews'),
]
train_dataloader = dict(
    dataset=dict(split='DIS-TR', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(split='DIS-VD', pipeline=test_pipeline))
val_evaluator = dict(split='DIS-VD')
