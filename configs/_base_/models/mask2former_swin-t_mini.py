# A small Swin-T: more weights than the small ResNet, windows of 4 for pictures of 96 px.
_base_ = './mask2former_mini.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=40,
        depths=[2, 2, 2, 2],
        num_heads=[2, 4, 8, 16],
        window_size=4,
        drop_path_rate=0.0,
        out_indices=(0, 1, 2, 3)),
    head=dict(in_channels=[40, 80, 160, 320]))
