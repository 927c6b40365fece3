# What `esg convert mask2former --task instance` writes into a checkpoint, with the sizes of its tensors.
_base_ = [
    '../_base_/released.py',
    '../_base_/mask2former_runtime.py', '../_base_/models/mask2former_panoptic_swin-t.py',
    '../_base_/datasets/entities_paper.py'
]
release = dict(type='Mask2FormerRelease', task='instance')
model = dict(
    type='InstanceSegmentor', fusion=dict(test_cfg=dict(_delete_=True, max_per_image=100)))
