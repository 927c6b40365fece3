# Stand-in for LLaVA's language model (7B-like): a LLaMA of 3 layers, 128 wide, on the captions.
_base_ = '../default_runtime.py'
custom_imports = dict(imports=['projects.gella.pretrain'], allow_failed_imports=False)
data_manifest = 'artifacts/mini/data/png/manifest.json'
splits = ['train', 'captions']
vocab_size = 768

model = dict(
    type='LanguagePretraining',
    config=dict(
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.05),
    tokenizer=dict(manifest=data_manifest, splits=splits, vocab_size=vocab_size),
    recalled=3,
    recall_weight=0.3)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='CaptionDataset',
        manifest=data_manifest,
        splits=splits,
        vocab_size=vocab_size,
        repeat=0.9,
        shuffle=0.5))
max_iters = 800
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01, fused=True),
    clip_grad=dict(max_norm=1.0, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=3e-3, total_steps=max_iters, pct_start=0.1, by_epoch=False)
]
