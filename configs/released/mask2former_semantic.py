# What `esg convert mask2former --task semantic` writes into a checkpoint, with the sizes of its tensors.
_base_ = [
    '../_base_/released.py',
    '../_base_/mask2former_runtime.py', '../_base_/models/mask2former_panoptic_swin-t.py',
    '../_base_/datasets/entities_paper.py'
]
release = dict(type='Mask2FormerRelease', task='semantic')
model = dict(type='SemanticSegmentor', fusion=dict(test_cfg=dict(_delete_=True)))
# Size of ADE20K's and EntitySeg's semantic models (facebookresearch/Mask2Former 9b0651c, qqlu/Entity
# d67e36f); the file does not say it, and others have others: docs/released-weights.md.
test_pipeline = [
    dict(type='LoadPhoto'),
    dict(type='CornerCropViews', scale=(512, 2048), crops='none'),
    dict(type='PackViews'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
