# MMDetection's Mask R-CNN on one view, class-agnostic; which layers are frozen and how regions are
# sampled is MMDetection's, as the paper says nothing (*assumed*).
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

model = dict(
    type='BoxSegmentor',
    data_preprocessor=dict(_delete_=True, type='ViewPreprocessor', size_divisor=32),
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50.pth')),
    roi_head=dict(bbox_head=dict(num_classes=1), mask_head=dict(num_classes=1)))
