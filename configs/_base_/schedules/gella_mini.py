# 1,100 iterations of batch 8, AdamW, warm-up and cosine; the language model at 0.6 of the rate, the
# pretrained mask path at 0.3: at the full rate it would forget the colormap.
max_iters = 1100
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05, fused=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bypass_duplicate=True, custom_keys={
        'query_embed': dict(decay_mult=0.0),
        'query_feat': dict(decay_mult=0.0),
        'level_embed': dict(decay_mult=0.0),
        'language.model': dict(lr_mult=0.6),
        'colormap_encoder': dict(lr_mult=0.3),
        'mask_decoder': dict(lr_mult=0.3),
    }),
    clip_grad=dict(max_norm=1.0, norm_type=2))
# Both scale each group's own rate: MMEngine's OneCycleLR would give all groups its eta_max.
warm_up = 80
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, begin=0, end=warm_up, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warm_up,
        end=max_iters,
        T_max=max_iters - warm_up,
        eta_min=0.0,
        by_epoch=False)
]
