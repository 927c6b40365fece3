# Six iterations: shows that everything runs, and nothing else.
_base_ = './mini.py'
max_iters = 6
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1e-3,
        total_steps=max_iters,
        pct_start=0.5,
        by_epoch=False)
]
default_hooks = dict(checkpoint=dict(interval=3))
