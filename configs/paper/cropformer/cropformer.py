# Table VI, cropformer: full view and corner crops at (800, 1333).
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/cropformer_swin-t.py',
    '../../_base_/datasets/entities_crops_paper.py', '../../_base_/schedules/entityseg_3x.py'
]
