# Classes of instances of EntitySeg's first folder.
# Numbers of classes as released (qqlu/Entity d67e36f); the paper states none.
_base_ = '../datasets/classes_paper.py'
num_classes = 206
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
