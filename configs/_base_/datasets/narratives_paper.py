# PNG's narratives over COCO for all three tasks, shares as in 5.3. The captions that the paper adds (GPT-4, two
# a training image of EntitySeg) are not published: PNG's own serve description and noun extraction.
data_manifest = 'artifacts/paper/data/png/manifest.json'
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DrawSampler'),
    dataset=dict(
        type='GroundingDataset',
        manifest=data_manifest,
        split='train',
        ratios=dict(describe=0.2, extract=0.2, ground=0.6),
        language='pretrained:llm',
        image_encoder=dict(type='ClipImageEncoder', pretrained='pretrained:clip', frozen=True),
        colormap_size=1024,
        max_tokens=1024,
        cache=False))
