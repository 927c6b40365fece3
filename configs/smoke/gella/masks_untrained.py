# What the pretraining is compared with.
_base_ = '../../_base_/pretrain/masks_untrained.py'
