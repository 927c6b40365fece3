# Table VIII, coco-pan: Mask2Former with classes, which are dropped where entities are scored.
_base_ = [
    '../../_base_/mask2former_runtime.py', '../../_base_/models/mask2former_panoptic_swin-l.py',
    '../../_base_/datasets/classes_paper.py', '../../_base_/schedules/coco_50e.py'
]
