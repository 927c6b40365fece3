# Table VI, cropformer: full view and corner crops, each at the base size of 96 px.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/cropformer_mini.py',
    '../../_base_/datasets/entities_crops_mini.py', '../../_base_/schedules/mini.py'
]
