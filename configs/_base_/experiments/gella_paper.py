# GELLA at the paper's scale: all three tasks, one fully connected layer in the association.
_base_ = [
    '../default_runtime.py', '../models/gella_7b.py', '../datasets/narratives_paper.py',
    '../schedules/gella_50e.py'
]
custom_imports = dict(imports=['projects.gella'], allow_failed_imports=False)
