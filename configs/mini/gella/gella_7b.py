# Tables X, XXI (last row) and XXIII (FC): all three tasks, one fully connected layer.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/gella_mini.py',
    '../../_base_/datasets/narratives_mini.py', '../../_base_/schedules/gella_mini.py'
]
custom_imports = dict(imports=['projects.gella'], allow_failed_imports=False)
