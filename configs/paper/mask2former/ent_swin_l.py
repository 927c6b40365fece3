# Table IV, entity segmentation by Mask2Former, Swin-L.
_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/models/mask2former_swin-l.py',
    '../../_base_/datasets/entities_paper.py',
    '../../_base_/schedules/entityseg_3x_released.py'
]
