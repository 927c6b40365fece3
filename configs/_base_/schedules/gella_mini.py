# 800 iterations of batch 8, AdamW, one cycle; the language model at 0.3 of the rate.
max_iters = 800
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05, fused=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bypass_duplicate=True, custom_keys={
        'query_embed': dict(decay_mult=0.0),
        'query_feat': dict(decay_mult=0.0),
        'level_embed': dict(decay_mult=0.0),
        'language.model': dict(lr_mult=0.3),
    }),
    clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=max_iters, pct_start=0.1, by_epoch=False)
]
