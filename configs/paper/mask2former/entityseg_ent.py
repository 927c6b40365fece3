# Table VIII, entityseg-ent: as coco-ent, on EntitySeg.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_swin-l.py',
    '../../_base_/datasets/entities_paper.py', '../../_base_/schedules/entityseg_3x.py'
]
