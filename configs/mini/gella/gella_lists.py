# Table XIII: half of the pictures to ground come with the names of all classes.
_base_ = '../../_base_/experiments/gella_mini.py'
train_dataloader = dict(dataset=dict(category_share=0.5))
