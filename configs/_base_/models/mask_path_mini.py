# The mask path for two CPU cores: ResNet-18 of half width on 128 px colormaps, Mask2Former's decoder
# with 64 channels, 1 deformable and 3 transformer layers, 14 queries.
embed_dims = 64

colormap_encoder = dict(
    type='ResNet',
    depth=18,
    base_channels=32,
    stem_channels=32,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=False,
    style='pytorch')
resoblend = dict(
    type='ResoBlend',
    mask_channels=[32, 64, 128, 256],
    out_channels=64,
    channels=64,
    heads=4,
    query='image')
mask_decoder = dict(
    type='EntityMaskDecoder',
    in_channels=[32, 64, 128, 256],
    feat_channels=embed_dims,
    out_channels=embed_dims,
    num_things_classes=1,
    num_stuff_classes=0,
    num_queries=14,
    num_transformer_feat_level=3,
    pixel_decoder=dict(
        type='FusedPixelDecoder',
        num_outs=3,
        norm_cfg=dict(type='GN', num_groups=8),
        act_cfg=dict(type='ReLU'),
        encoder=dict(
            num_layers=1,
            layer_cfg=dict(
                self_attn_cfg=dict(
                    embed_dims=embed_dims,
                    num_heads=4,
                    num_levels=3,
                    num_points=4,
                    dropout=0.0,
                    batch_first=True),
                ffn_cfg=dict(
                    embed_dims=embed_dims,
                    feedforward_channels=128,
                    num_fcs=2,
                    ffn_drop=0.0,
                    act_cfg=dict(type='ReLU', inplace=True)))),
        positional_encoding=dict(num_feats=embed_dims // 2, normalize=True)),
    positional_encoding=dict(num_feats=embed_dims // 2, normalize=True),
    transformer_decoder=dict(
        return_intermediate=True,
        num_layers=3,
        layer_cfg=dict(
            self_attn_cfg=dict(
                embed_dims=embed_dims, num_heads=4, dropout=0.0, batch_first=True),
            cross_attn_cfg=dict(
                embed_dims=embed_dims, num_heads=4, dropout=0.0, batch_first=True),
            ffn_cfg=dict(
                embed_dims=embed_dims,
                feedforward_channels=256,
                num_fcs=2,
                ffn_drop=0.0,
                act_cfg=dict(type='ReLU', inplace=True))),
        init_cfg=None),
    loss_cls=dict(
        type='CrossEntropyLoss',
        use_sigmoid=False,
        loss_weight=2.0,
        reduction='mean',
        class_weight=[1.0, 0.1]),
    loss_mask=dict(
        type='CrossEntropyLoss', use_sigmoid=True, reduction='mean', loss_weight=5.0),
    loss_dice=dict(
        type='DiceLoss',
        use_sigmoid=True,
        activate=True,
        reduction='mean',
        naive_dice=True,
        eps=1.0,
        loss_weight=5.0),
    train_cfg=dict(
        num_points=512,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='ClassificationCost', weight=2.0),
                dict(type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
                dict(type='DiceCost', weight=5.0, pred_act=True, eps=1.0),
            ]),
        sampler=dict(type='MaskPseudoSampler')))
