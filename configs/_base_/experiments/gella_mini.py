# GELLA at mini scale: all three tasks, one fully connected layer in the association (the defaults).
_base_ = [
    '../default_runtime.py', '../models/gella_mini.py', '../datasets/narratives_mini.py',
    '../schedules/gella_mini.py'
]
custom_imports = dict(imports=['projects.gella'], allow_failed_imports=False)
