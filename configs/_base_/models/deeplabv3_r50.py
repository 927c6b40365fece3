# DeepLabV3 with features of stride 8 (arXiv 1706.05587, without its multi-grid; *assumed*).
model = dict(
    type='SemanticNet',
    data_preprocessor=dict(type='ViewPreprocessor', size_divisor=32),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        out_indices=(3, ),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50.pth')),
    head=dict(
        type='ASPPHead', in_channels=2048, channels=256, num_classes=150, rates=(12, 24, 36)))
