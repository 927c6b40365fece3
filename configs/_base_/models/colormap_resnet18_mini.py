# ResNet-18 of quarter width: the family that stands in for MobileNetV2 in GELLA's mini configs.
encoder = dict(
    type='ResNet',
    depth=18,
    base_channels=16,
    stem_channels=16,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    style='pytorch')
levels = [16, 32, 64, 128]
