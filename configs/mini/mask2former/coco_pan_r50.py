# Table IV: what its rows "COCO" with R-50 start from.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_panoptic_mini.py',
    '../../_base_/datasets/classes_mini.py',
    '../../_base_/schedules/mini_wild.py'
]
