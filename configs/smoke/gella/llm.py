# The mini config for four iterations.
_base_ = '../../_base_/pretrain/llm_smoke.py'
