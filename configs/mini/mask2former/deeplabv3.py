# Table IV, semantic segmentation by DeepLabV3.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/deeplabv3_mini.py',
    '../../_base_/tasks/semantic_mini.py',
    '../../_base_/schedules/mini_third.py'
]
