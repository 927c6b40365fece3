# Table IV, instance segmentation by Mask2Former, R-50.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_mini.py',
    '../../_base_/tasks/instance_mini.py',
    '../../_base_/schedules/mini_third.py'
]

model = {{_base_.task}}
