# 103,125 iterations of batch 16, decayed at 91,575 and 99,414, AdamW at 2e-4 (Table IV caption).
# The released configs train at 1e-4 with polynomial decay. The decay factor is *assumed* (0.1), as
# are weight decay, clipping and the slower backbone (Mask2Former's COCO panoptic settings).
max_iters = 103125
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.05, betas=(0.9, 0.999)),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'query_embed': dict(decay_mult=0.0),
            'query_feat': dict(decay_mult=0.0),
            'level_embed': dict(decay_mult=0.0),
            'absolute_pos_embed': dict(decay_mult=0.0),
            'relative_position_bias_table': dict(decay_mult=0.0),
        }),
    clip_grad=dict(max_norm=0.01, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[91575, 99414], gamma=0.1, by_epoch=False),
]
