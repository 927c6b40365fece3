# The whole mask path, segmenting by the colormap and describing by unrelated pictures.
_base_ = '../../_base_/pretrain/mask_path_mini.py'
