default_scope = 'mmdet'
custom_imports = dict(
    imports=['workbench.engine.transforms', 'projects.cropformer'],
    allow_failed_imports=False)
log_level = 'INFO'
env_cfg = dict(cudnn_benchmark=False)
