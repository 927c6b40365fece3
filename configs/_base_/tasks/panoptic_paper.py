# Panoptic classes of EntitySeg's first folder.
# Numbers of classes as released (qqlu/Entity d67e36f); the paper states none.
_base_ = '../datasets/classes_paper.py'
num_things = 279
num_stuff = 71
task = dict(
    type='PanopticSegmentor',
    head=dict(
        num_things_classes=num_things,
        num_stuff_classes=num_stuff,
        loss_cls=dict(class_weight=[1.0] * (num_things + num_stuff) + [0.1])),
    # Thresholds as released (facebookresearch/Mask2Former 9b0651c).
    fusion=dict(
        type='MaskFormerFusionHead',
        num_things_classes=num_things,
        num_stuff_classes=num_stuff,
        test_cfg=dict(object_mask_thr=0.8, iou_thr=0.8, filter_low_score=True)))
train_dataloader = dict(
    dataset=dict(split='train_panoptic', num_things=num_things, num_stuff=num_stuff))
val_dataloader = dict(dataset=dict(split='val_panoptic'))
val_evaluator = dict(split='val_panoptic')
