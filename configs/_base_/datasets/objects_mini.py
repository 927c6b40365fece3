# One object a picture, DIS5K's splits: its thin parts need more pixels than entities at this scale.
_base_ = './entities_mini.py'

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
train_dataloader = dict(
    batch_size=4,
    dataset=dict(split='DIS-TR', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(split='DIS-VD', pipeline=test_pipeline))
val_evaluator = dict(split='DIS-VD')
