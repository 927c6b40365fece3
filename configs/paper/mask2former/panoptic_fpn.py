# Table IV, panoptic segmentation by PanopticFPN.
_base_ = [
    '../../_base_/mask2former_runtime.py',
    '../../_base_/models/panoptic_fpn_r50.py',
    '../../_base_/tasks/panoptic_paper.py',
    '../../_base_/schedules/entityseg_1x.py'
]

# Released rate; the caption of Table IV has 2e-4. Released are also half the iterations of twice
# the batch.
optim_wrapper = dict(optimizer=dict(lr=1e-4))
