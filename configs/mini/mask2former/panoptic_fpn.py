# Table IV, panoptic segmentation by PanopticFPN.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/panoptic_fpn_mini.py',
    '../../_base_/tasks/panoptic_mini.py',
    '../../_base_/schedules/mini_third.py'
]
