# Colormap-only reconstruction with ResNet-18 (Table XVI).
_base_ = [
    '../../_base_/experiments/colormap_smoke.py', '../../_base_/models/colormap_resnet18_mini.py'
]
model = dict(
    colormap_encoder={{_base_.encoder}}, mask_decoder=dict(in_channels={{_base_.levels}}))
