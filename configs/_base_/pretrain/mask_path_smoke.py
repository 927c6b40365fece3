# Four iterations: shows that everything runs, and nothing else.
_base_ = './mask_path_mini.py'
max_iters = 4
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-3, total_steps=max_iters, pct_start=0.5, by_epoch=False)
]
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False)
default_hooks = dict(checkpoint=dict(interval=2))
