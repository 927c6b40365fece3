# 100 epochs of DIS5K's 3,000 pictures in batches of 16, decayed at the same shares of the way as
# COCO's 50 (*assumed*: Table VII states no schedule).
_base_ = './entityseg_3x.py'
max_iters = 18750
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[16667, 18055], gamma=0.1, by_epoch=False),
]
