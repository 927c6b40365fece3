# Table IV, instance segmentation by Mask R-CNN.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask_rcnn_mini.py',
    '../../_base_/tasks/instance_mini.py',
    '../../_base_/schedules/mini_third.py'
]

model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes={{_base_.num_classes}}),
        mask_head=dict(num_classes={{_base_.num_classes}})))
