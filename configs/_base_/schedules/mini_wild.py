# 600 iterations for each training set of Table VIII.
_base_ = './mini.py'
max_iters = 600
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False)
]
