# COCO's panoptic classes, for Mask2Former.
num_things = 80
num_stuff = 53
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
