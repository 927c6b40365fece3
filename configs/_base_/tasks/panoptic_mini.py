# Panoptic classes in the generated world of EntitySeg's classes.
_base_ = '../datasets/classes_mini.py'
num_things = 32
num_stuff = 14
task = dict(
    type='PanopticSegmentor',
    head=dict(
        num_things_classes=num_things,
        num_stuff_classes=num_stuff,
        loss_cls=dict(class_weight=[1.0] * (num_things + num_stuff) + [0.1])),
    # 0.3 instead of the released 0.8, see models/mask2former_panoptic_mini.py.
    fusion=dict(
        type='MaskFormerFusionHead',
        num_things_classes=num_things,
        num_stuff_classes=num_stuff,
        test_cfg=dict(object_mask_thr=0.3, iou_thr=0.8, filter_low_score=True)))
train_dataloader = dict(
    dataset=dict(split='train_panoptic', num_things=num_things, num_stuff=num_stuff))
val_dataloader = dict(dataset=dict(split='val_panoptic'))
val_evaluator = dict(split='val_panoptic')
