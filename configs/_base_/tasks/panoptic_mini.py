# Panoptic classes in the generated world of EntitySeg's classes, which are those of all worlds.
_base_ = ['../datasets/classes_mini.py', './coco_panoptic_mini.py']
train_dataloader = dict(dataset=dict(split='train_panoptic'))
val_dataloader = dict(dataset=dict(split='val_panoptic'))
val_evaluator = dict(split='val_panoptic')
