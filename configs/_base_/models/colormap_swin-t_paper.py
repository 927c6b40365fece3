# Swin-T of the released configs, as in mask2former_swin-t.py.
encoder = dict(
    type='FusedSwinTransformer',
    embed_dims=96,
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
    mlp_ratio=4,
    qkv_bias=True,
    drop_path_rate=0.3,
    patch_norm=True,
    out_indices=(0, 1, 2, 3),
    with_cp=False,
    convert_weights=True,
    init_cfg=dict(type='Pretrained', checkpoint='weights/swin_tiny_patch4_window7_224.pth'))
levels = [96, 192, 384, 768]
