# What the pretraining is compared with.
_base_ = '../../_base_/pretrain/llm_untrained.py'
