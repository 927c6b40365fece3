# Table VI, v-mask2former: learned queries decoded over all views together.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/mask2former_swin-t.py',
    '../../_base_/datasets/entities_crops_paper.py', '../../_base_/schedules/entityseg_3x.py'
]
