# Table VIII, entityseg-ent: as coco-ent, on EntitySeg.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_mini.py', '../../_base_/schedules/mini_wild.py'
]
