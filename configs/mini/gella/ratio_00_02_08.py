# Table XXI: shares 0.0 / 0.2 / 0.8 of description, noun extraction and grounding.
_base_ = '../../_base_/experiments/gella_mini.py'

train_dataloader = dict(dataset=dict(ratios=dict(describe=0.0, extract=0.2, ground=0.8)))
