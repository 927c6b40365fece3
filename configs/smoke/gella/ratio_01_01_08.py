# Table XXI: shares 0.1 / 0.1 / 0.8 of description, noun extraction and grounding.
_base_ = '../../_base_/experiments/gella_smoke.py'

train_dataloader = dict(dataset=dict(ratios=dict(describe=0.1, extract=0.1, ground=0.8)))
