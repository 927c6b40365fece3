# Table XIII: half of the pictures to ground come with the names of all classes.
_base_ = '../../_base_/experiments/gella_smoke.py'
train_dataloader = dict(dataset=dict(category_share=0.5))
