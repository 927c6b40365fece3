# Grounded narratives with 128 px colormaps; extra captions for the language tasks (0.2, 0.2, 0.6).
data_manifest = 'artifacts/mini/data/png/manifest.json'
encoder = dict(type='ClipImageEncoder', pretrained='pretrained:clip', frozen=True)

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='GroundingDataset',
        manifest=data_manifest,
        split='train',
        captions='captions',
        ratios=dict(describe=0.2, extract=0.2, ground=0.6),
        language='pretrained:llm',
        image_encoder=encoder,
        colormap_size=128,
        max_tokens=384))
