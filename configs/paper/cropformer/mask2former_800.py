# Table VI, mask2former-800: one view at (800, 1333).
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_swin-t.py',
    '../../_base_/datasets/entities_paper.py', '../../_base_/schedules/entityseg_3x.py'
]
