# 50 epochs of batch 16 (8 GPUs, 2 each) with AdamW at 1e-5, decayed by 10 after epochs 46 and 48 (5.3).
# An epoch is *assumed* to be the 10,813 images that 5.3 names: 676 iterations.
epoch = 676
max_iters = 33800
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-5))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[46 * epoch, 48 * epoch], gamma=0.1, by_epoch=False)
]
