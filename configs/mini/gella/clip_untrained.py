# What the pretraining is compared with.
_base_ = '../../_base_/pretrain/clip_untrained.py'
