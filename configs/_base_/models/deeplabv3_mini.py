# The same model small enough for two CPU cores; its rates fit maps of 12 pixels.
_base_ = './deeplabv3_r50.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        stem_channels=32,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        init_cfg=None),
    head=dict(in_channels=256, channels=64, num_classes=40, rates=(2, 4, 6), dropout=0.1))
