# Table VI, vita: clip-level queries from frame-level ones.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/vita_swin-t.py',
    '../../_base_/datasets/entities_crops_paper.py', '../../_base_/schedules/entityseg_3x.py'
]
custom_imports = dict(
    imports=['workbench.engine.transforms', 'projects.cropformer', 'projects.baselines'],
    allow_failed_imports=False)
