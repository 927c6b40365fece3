# A small Swin-L: wider and, in its third stage, deeper than the small Swin-T.
_base_ = './mask2former_mini.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=56,
        depths=[2, 2, 6, 2],
        num_heads=[2, 4, 8, 16],
        window_size=4,
        drop_path_rate=0.0,
        out_indices=(0, 1, 2, 3)),
    head=dict(in_channels=[56, 112, 224, 448]))
