# Table IV, instance segmentation by Mask R-CNN.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask_rcnn_r50.py',
    '../../_base_/tasks/instance_paper.py',
    '../../_base_/schedules/entityseg_1x.py'
]

model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes={{_base_.num_classes}}),
        mask_head=dict(num_classes={{_base_.num_classes}})))
