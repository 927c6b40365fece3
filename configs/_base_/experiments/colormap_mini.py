# Colormap-only reconstruction (Table XVI) with an encoder that the config names; trained for twice
# as long as the start of GELLA's mask path. Masks come out at a quarter of the colormap's size, coarse
# for the entities of 128 px pictures: what is rebuilt and scored is painted at twice that.
_base_ = '../pretrain/masks_mini.py'
max_iters = 1000
model = dict(
    _delete_=True, type='ColormapReconstructor', mask_decoder={{_base_.mask_decoder}})
val_dataloader = dict(dataset=dict(colormap_size=256))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=max_iters, pct_start=0.1, by_epoch=False)
]
