# Colormap-only reconstruction (Table XVI) at the paper's sizes: colormaps as GELLA's (*assumed* 1024 px),
# its mask decoder, the annotated masks of COCO in PNG. The paper does not say how long and on what
# these models were trained: *assumed* are GELLA's batch and epochs, and Mask2Former's rate of 1e-4
# with weight decay 0.05 and a tenth of the rate in the encoder. The label maps of all pictures are
# in memory, 2 MiB each.
_base_ = [
    '../default_runtime.py', '../models/mask_path_7b.py', '../schedules/gella_50e.py'
]
custom_imports = dict(imports=['projects.gella.pretrain'], allow_failed_imports=False)
data_manifest = 'artifacts/paper/data/png/manifest.json'

sync_bn = 'torch'
model = dict(
    _delete_=True, type='ColormapReconstructor', mask_decoder={{_base_.mask_decoder}})
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='ColormapDataset', manifest=data_manifest, split='train', colormap_size=1024))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ColormapDataset', manifest=data_manifest, split='val', colormap_size=1024))
val_evaluator = dict(type='EntityAP', manifest=data_manifest, split='val')
val_cfg = dict()
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={
        'colormap_encoder': dict(lr_mult=0.1),
        'query_embed': dict(decay_mult=0.0),
        'query_feat': dict(decay_mult=0.0),
        'level_embed': dict(decay_mult=0.0),
    }),
    clip_grad=dict(max_norm=0.01, norm_type=2))
