# Stand-in for the 13B language model: wider than that of 7B.
_base_ = '../../_base_/pretrain/llm_smoke.py'

model = dict(config=dict(hidden_size=160, intermediate_size=432, num_attention_heads=5))
