# Table VI, mask2former-800: one view at the base size, 96 px standing for (800, 1333).
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_mini.py', '../../_base_/schedules/mini.py'
]
