# 300 iterations on DIS5K's small world.
_base_ = './mini.py'
max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=1e-3,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False)
]
