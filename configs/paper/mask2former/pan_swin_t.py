# Table IV, panoptic segmentation by Mask2Former, Swin-T. Released rate; the caption has 2e-4.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_swin-t.py',
    '../../_base_/tasks/panoptic_paper.py',
    '../../_base_/schedules/entityseg_1x.py'
]

model = {{_base_.task}}
optim_wrapper = dict(optimizer=dict(lr=5e-4))
