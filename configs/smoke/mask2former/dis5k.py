# The mini config for six iterations.
_base_ = [
    '../../_base_/mask2former_runtime.py', '../../_base_/models/grey_map_mini.py',
    '../../_base_/datasets/objects_smoke.py', '../../_base_/schedules/smoke.py'
]
