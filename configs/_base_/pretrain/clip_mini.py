# Stand-in for CLIP: a ViT of 4 layers, 96 wide, on 96 px in patches of 6 (16 x 16 tokens).
_base_ = '../default_runtime.py'
custom_imports = dict(imports=['projects.gella.pretrain'], allow_failed_imports=False)
data_manifest = 'artifacts/mini/data/png/manifest.json'
image_size = 96
vocab_size = 768

model = dict(
    type='ClipPretraining',
    vision=dict(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=image_size,
        patch_size=6),
    text=dict(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77),
    projection_dim=64,
    tokenizer=dict(manifest=data_manifest, splits=['train'], vocab_size=vocab_size))
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='PhrasePictureDataset',
        manifest=data_manifest,
        split='train',
        size=image_size,
        vocab_size=vocab_size))
max_iters = 400
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-3, total_steps=max_iters, pct_start=0.1, by_epoch=False)
]
