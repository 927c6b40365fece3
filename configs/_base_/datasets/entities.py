# Class-agnostic entities of any data set that `prep` wrote a manifest for. An experiment sets the
# pipelines; `resolve` sets the manifest.
data_manifest = 'artifacts/mini/data/entityseg/manifest.json'

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='EntityImageDataset', manifest=data_manifest, split='train', pipeline=[]))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='EntityImageDataset', manifest=data_manifest, split='val', pipeline=[]))
val_evaluator = dict(type='EntityAP', manifest=data_manifest, split='val')
val_cfg = dict()
