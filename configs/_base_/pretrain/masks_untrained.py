# One iteration at a rate of zero: the weights stay as they were drawn.
_base_ = './masks_mini.py'
max_iters = 1
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=0.0))
param_scheduler = []
