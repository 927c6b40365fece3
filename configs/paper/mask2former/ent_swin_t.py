# Table IV, entity segmentation by Mask2Former, Swin-T.
_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/models/mask2former_swin-t.py',
    '../../_base_/datasets/entities_paper.py',
    '../../_base_/schedules/entityseg_3x_released.py'
]
