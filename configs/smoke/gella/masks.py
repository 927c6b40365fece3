# The mini config for four iterations.
_base_ = '../../_base_/pretrain/masks_smoke.py'
