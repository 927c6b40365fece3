_base_ = './default_runtime.py'
custom_imports = dict(
    imports=['workbench.engine.transforms', 'projects.cropformer', 'projects.mask2former'],
    allow_failed_imports=False)
