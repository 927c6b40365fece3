# The mini config for six iterations.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/mask2former_swin-t_mini.py',
    '../../_base_/tasks/semantic_smoke.py',
    '../../_base_/schedules/smoke.py'
]

model = {{_base_.task}}
