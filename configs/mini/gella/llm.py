# Stand-in for the language model of LLaVA-v1.5-7B.
_base_ = '../../_base_/pretrain/llm_mini.py'
