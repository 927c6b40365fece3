# Classes of instances in the generated world of EntitySeg's classes.
_base_ = '../datasets/classes_mini.py'
num_classes = 32
task = dict(
    type='InstanceSegmentor',
    head=dict(
        num_things_classes=num_classes,
        num_stuff_classes=0,
        loss_cls=dict(class_weight=[1.0] * num_classes + [0.1])),
    fusion=dict(
        type='MaskFormerFusionHead',
        num_things_classes=num_classes,
        num_stuff_classes=0,
        test_cfg=dict(max_per_image=100)))
train_dataloader = dict(
    dataset=dict(split='train_instance', num_things=num_classes, num_stuff=0))
val_dataloader = dict(dataset=dict(split='val_instance'))
val_evaluator = dict(split='val_instance')
