# Table IV, entity segmentation by Mask2Former, R-50.
_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_mini.py',
    '../../_base_/schedules/mini.py'
]
