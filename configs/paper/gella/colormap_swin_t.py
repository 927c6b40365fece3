# Colormap-only reconstruction with Swin-Tiny (Table XVI).
_base_ = [
    '../../_base_/experiments/colormap_paper.py', '../../_base_/models/colormap_swin-t_paper.py'
]
model = dict(
    colormap_encoder={{_base_.encoder}}, mask_decoder=dict(in_channels={{_base_.levels}}))
