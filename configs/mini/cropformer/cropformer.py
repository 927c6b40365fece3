# Table VI, cropformer: full view and corner crops, each at the base size of 96 px.
_base_ = [
    '../../_base_/default_runtime.py', '../../_base_/models/cropformer_mini.py',
    '../../_base_/datasets/entities_crops_mini.py', '../../_base_/schedules/mini.py'
]
# Three quarters of the other rows' rate: two levels drive the shared layers, and at 2e-3 one seed in
# three starts badly (APe 36 instead of 42 to 44). Mask2Former itself is better at 2e-3: 41.2 against
# 39.9, seed 0. All on the 50 pictures that training validates on.
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1.5e-3,
        total_steps={{_base_.max_iters}},
        pct_start=0.1,
        by_epoch=False)
]
