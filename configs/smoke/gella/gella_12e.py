# Table XIII: half of GELLA-7B's iterations.
_base_ = '../../_base_/experiments/gella_smoke.py'
max_iters = 2
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-3, total_steps=max_iters, pct_start=0.5, by_epoch=False)
]
