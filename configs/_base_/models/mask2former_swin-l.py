# Swin-L of the released configs, pretrained on ImageNet-22k at 384 px. 100 queries as the smaller
# models have (*assumed*: the released Swin-L has 200, and Table VIII counts 100 masks).
_base_ = './mask2former_r50.py'

model = dict(
    init_cfg=None,  # weights of a whole model to start from: docs/released-weights.md
    backbone=dict(
        _delete_=True,
        type='FusedSwinTransformer',
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        mlp_ratio=4,
        qkv_bias=True,
        drop_path_rate=0.3,
        patch_norm=True,
        out_indices=(0, 1, 2, 3),
        with_cp=False,
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='weights/swin_large_patch4_window12_384_22k.pth')),
    head=dict(in_channels=[192, 384, 768, 1536]))
