# A third of the entity schedule, for tasks with classes (Table IV caption; the released decay
# points are thirds too). Rate of the caption, 2e-4; released are 1e-4 for semantic and instance
# segmentation by Mask2Former and for PanopticFPN, 5e-4 for panoptic Mask2Former and 2e-4 for Mask
# R-CNN (qqlu/Entity d67e36f), which each config sets.
_base_ = './entityseg_3x.py'
max_iters = 34375
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[30525, 33138], gamma=0.1, by_epoch=False),
]
