# Table IV, semantic segmentation by DeepLabV3; no config of it is released.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/deeplabv3_r50.py',
    '../../_base_/tasks/semantic_paper.py',
    '../../_base_/schedules/entityseg_1x.py'
]
