# Table XIII: 12 epochs. Where the rate falls is not stated; *assumed*, at the shares of all
# iterations at which it falls within 50 epochs: 46 and 48 of 50.
_base_ = '../../_base_/experiments/gella_paper.py'
max_iters = 12 * 676
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(
        type='MultiStepLR',
        milestones=[max_iters * 46 // 50, max_iters * 48 // 50],
        gamma=0.1,
        by_epoch=False)
]
