# The mini config for six iterations.
_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/models/mask2former_swin-l_mini.py',
    '../../_base_/datasets/entities_smoke.py',
    '../../_base_/schedules/smoke.py'
]
