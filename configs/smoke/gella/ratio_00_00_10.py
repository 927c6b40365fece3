# Table XXI: shares 0.0 / 0.0 / 1.0 of description, noun extraction and grounding.
_base_ = '../../_base_/experiments/gella_smoke.py'

train_dataloader = dict(dataset=dict(ratios=dict(describe=0.0, extract=0.0, ground=1.0)))
