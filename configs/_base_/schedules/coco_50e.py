# 50 epochs of COCO in batches of 16, decayed and at the rate of Mask2Former's released configs
# (facebookresearch/Mask2Former 9b0651c).
_base_ = './entityseg_3x.py'
max_iters = 368750
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[327778, 355092], gamma=0.1, by_epoch=False),
]
