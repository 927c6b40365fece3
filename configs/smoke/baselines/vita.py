# The mini config for six iterations.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/vita_mini.py',
    '../../_base_/datasets/entities_crops_smoke.py', '../../_base_/schedules/smoke.py'
]
custom_imports = dict(
    imports=['workbench.engine.transforms', 'projects.cropformer', 'projects.baselines'],
    allow_failed_imports=False)
