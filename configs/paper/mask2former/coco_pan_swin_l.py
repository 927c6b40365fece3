# Table IV: what its rows "COCO" with Swin-L start from.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_panoptic_swin-l.py',
    '../../_base_/datasets/classes_paper.py',
    '../../_base_/schedules/coco_50e.py'
]
