# Table VII: one object a picture; `transfer` in params.yaml says what it starts from.
_base_ = [
    '../../_base_/mask2former_runtime.py', '../../_base_/models/grey_map_swin-t.py',
    '../../_base_/datasets/objects_paper.py', '../../_base_/schedules/dis5k_100e.py'
]
