# Classes of pixels in the generated world of EntitySeg's classes: a region a class and picture.
_base_ = '../datasets/classes_mini.py'
num_classes = 40
task = dict(
    type='SemanticSegmentor',
    head=dict(
        num_things_classes=num_classes,
        num_stuff_classes=0,
        loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
    fusion=dict(
        type='MaskFormerFusionHead',
        num_things_classes=num_classes,
        num_stuff_classes=0,
        test_cfg=dict()))
train_dataloader = dict(
    dataset=dict(split='train_semantic', num_things=num_classes, num_stuff=0))
val_dataloader = dict(dataset=dict(split='val_semantic'))
val_evaluator = dict(split='val_semantic')
