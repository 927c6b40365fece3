# Table IV, entity segmentation by Mask R-CNN; no config of it is released.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask_rcnn_mini.py',
    '../../_base_/datasets/entities_mini.py',
    '../../_base_/schedules/mini.py'
]
