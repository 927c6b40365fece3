# The mini config for four iterations.
_base_ = '../../_base_/pretrain/mask_path_smoke.py'
