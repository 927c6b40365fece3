# Swin-L of the released configs, as in mask2former_swin-l.py.
encoder = dict(
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
        type='Pretrained', checkpoint='weights/swin_large_patch4_window12_384_22k.pth'))
levels = [192, 384, 768, 1536]
