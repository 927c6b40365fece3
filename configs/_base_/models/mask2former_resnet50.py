# Mask2Former on a ResNet-50 pretrained on ImageNet.
_base_ = './mask2former_r50.py'

model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50.pth')))
