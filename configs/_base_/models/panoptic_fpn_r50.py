# MMDetection's PanopticFPN on one view; its weights and thresholds are MMDetection's (*assumed*).
_base_ = './mask_rcnn_r50.py'
things = 279
stuff = 71

model = dict(
    type='BoxPanopticSegmentor',
    roi_head=dict(
        bbox_head=dict(num_classes=things), mask_head=dict(num_classes=things)),
    semantic_head=dict(
        type='PanopticFPNHead',
        num_things_classes=things,
        num_stuff_classes=stuff,
        in_channels=256,
        inner_channels=128,
        start_level=0,
        end_level=4,
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        # The number of pixels without a class: MMDetection's 255 is a class here.
        loss_seg=dict(type='CrossEntropyLoss', ignore_index=1000, loss_weight=0.5)),
    panoptic_fusion_head=dict(
        type='HeuristicFusionHead',
        num_things_classes=things,
        num_stuff_classes=stuff),
    test_cfg=dict(
        rcnn=dict(score_thr=0.6, nms=dict(class_agnostic=True)),
        panoptic=dict(mask_overlap=0.5, stuff_area_limit=4096)))
