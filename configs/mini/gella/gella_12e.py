# Table XIII: 12 epochs to the 50 of GELLA-7B, so 12 of 50 of its iterations; warm-up and cosine
# shortened alike.
_base_ = '../../_base_/experiments/gella_mini.py'
max_iters = 1100 * 12 // 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
warm_up = 80 * 12 // 50
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warm_up, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warm_up,
        end=max_iters,
        T_max=max_iters - warm_up,
        eta_min=0.0,
        by_epoch=False)
]
