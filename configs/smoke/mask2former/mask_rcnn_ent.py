# The mini config for six iterations.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask_rcnn_mini.py',
    '../../_base_/datasets/entities_smoke.py',
    '../../_base_/schedules/smoke.py'
]
