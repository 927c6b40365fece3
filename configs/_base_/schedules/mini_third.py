# 300 iterations for tasks with classes: a third of the entity schedule, as at paper scale.
_base_ = './mini.py'
max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=2e-3,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False)
]
