# Colormap-only reconstruction with Swin-Tiny (Table XVI).
_base_ = [
    '../../_base_/experiments/colormap_mini.py', '../../_base_/models/colormap_swin-t_mini.py'
]
model = dict(
    colormap_encoder={{_base_.encoder}}, mask_decoder=dict(in_channels={{_base_.levels}}))
