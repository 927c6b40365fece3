# Table VI, v-mask2former: learned queries decoded over all views together, no association.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_mini.py',
    '../../_base_/datasets/entities_crops_mini.py', '../../_base_/schedules/mini.py'
]
