# Backbones that released checkpoints have: configs whose sizes the tensors replace.
release = dict(
    imports=['projects.released'],
    backbones=dict(
        swin='configs/_base_/models/mask2former_swin-t.py',
        resnet='configs/_base_/models/mask2former_r50.py'))
