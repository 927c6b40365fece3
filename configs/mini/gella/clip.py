# Stand-in for CLIP ViT-L/14-336.
_base_ = '../../_base_/pretrain/clip_mini.py'
