# Table IV, entity segmentation by Mask2Former, Swin-L.
_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/models/mask2former_swin-l_mini.py',
    '../../_base_/datasets/entities_mini.py',
    '../../_base_/schedules/mini.py'
]
