# The whole mask path on colormaps and the tokens of unrelated pictures; starts from the colormap-only
# model.
_base_ = ['../default_runtime.py', '../models/mask_path_mini.py']
custom_imports = dict(imports=['projects.gella.pretrain'], allow_failed_imports=False)
data_manifest = 'artifacts/mini/data/png/manifest.json'

model = dict(
    type='MaskPathPretraining',
    image_channels=96,
    colormap_encoder={{_base_.colormap_encoder}},
    resoblend={{_base_.resoblend}},
    mask_decoder={{_base_.mask_decoder}},
    masks_pretrained='pretrained:masks',
    content_weight=10.0)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='UnrelatedPictureDataset',
        manifest=data_manifest,
        split='train',
        image_encoder=dict(type='ClipImageEncoder', pretrained='pretrained:clip', frozen=True),
        colormap_size=128))
max_iters = 550
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={
        'query_embed': dict(decay_mult=0.0),
        'query_feat': dict(decay_mult=0.0),
        'level_embed': dict(decay_mult=0.0),
    }),
    clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-3, total_steps=max_iters, pct_start=0.1, by_epoch=False)
]
