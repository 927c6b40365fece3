# Table VIII, coco-ent: class-agnostic Mask2Former.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_swin-l.py',
    '../../_base_/datasets/entities_paper.py', '../../_base_/schedules/coco_50e.py'
]
