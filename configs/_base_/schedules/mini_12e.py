# 216 iterations: the ratio of 12 to 50 epochs; not yet one pass over PNG's 2,000 generated pictures.
_base_ = './mini.py'
max_iters = 216
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False)
]
