# ResNet-18 as published.
encoder = dict(
    type='ResNet',
    depth=18,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    style='pytorch',
    init_cfg=dict(type='Pretrained', checkpoint='weights/resnet18-f37072fd.pth'))
levels = [64, 128, 256, 512]
