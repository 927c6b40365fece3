# The small Mask R-CNN with a semantic head. Things count from a score of 0.3, not 0.6, as those of
# the small Mask2Former; stuff from 64 pixels: as much of a picture as 4,096 at paper scale.
_base_ = './mask_rcnn_mini.py'
things = 32
stuff = 14

model = dict(
    type='BoxPanopticSegmentor',
    roi_head=dict(
        bbox_head=dict(num_classes=things), mask_head=dict(num_classes=things)),
    semantic_head=dict(
        type='PanopticFPNHead',
        num_things_classes=things,
        num_stuff_classes=stuff,
        in_channels=64,
        inner_channels=32,
        start_level=0,
        end_level=4,
        norm_cfg=dict(type='GN', num_groups=8, requires_grad=True),
        loss_seg=dict(type='CrossEntropyLoss', ignore_index=1000, loss_weight=0.5)),
    panoptic_fusion_head=dict(
        type='HeuristicFusionHead',
        num_things_classes=things,
        num_stuff_classes=stuff),
    test_cfg=dict(
        rcnn=dict(score_thr=0.3, nms=dict(class_agnostic=True)),
        panoptic=dict(mask_overlap=0.5, stuff_area_limit=64)))
