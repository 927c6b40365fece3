# Swin with a sixth of Swin-L's width and two blocks a stage; windows of 4 for colormaps of 128 px.
encoder = dict(
    type='FusedSwinTransformer',
    embed_dims=32,
    depths=[2, 2, 2, 2],
    num_heads=[1, 2, 4, 8],
    window_size=4,
    drop_path_rate=0.0,
    out_indices=(0, 1, 2, 3))
levels = [32, 64, 128, 256]
