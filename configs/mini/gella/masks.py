# Colormap-only reconstruction, and the start of GELLA's mask path.
_base_ = '../../_base_/pretrain/masks_mini.py'
