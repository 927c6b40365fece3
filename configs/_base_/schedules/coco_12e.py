# 12 epochs of COCO in batches of 16, decayed at the same shares of the way as 50 (*assumed*).
_base_ = './entityseg_3x.py'
max_iters = 88500
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[78667, 85222], gamma=0.1, by_epoch=False),
]
