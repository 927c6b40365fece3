# Table IV, semantic segmentation by Mask2Former, Swin-L.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_swin-l_mini.py',
    '../../_base_/tasks/semantic_mini.py',
    '../../_base_/schedules/mini_third.py'
]

model = {{_base_.task}}
