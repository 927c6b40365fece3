# Mask2Former with COCO's panoptic classes on a ResNet-50.
_base_ = ['./mask2former_resnet50.py', '../tasks/coco_panoptic_paper.py']
model = {{_base_.task}}
