# Table IV: what its rows "COCO" with Swin-T start from.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_panoptic_swin-t.py',
    '../../_base_/datasets/classes_paper.py',
    '../../_base_/schedules/coco_50e.py'
]
