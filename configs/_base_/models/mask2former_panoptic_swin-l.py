# Mask2Former with COCO's panoptic classes on Swin-L.
_base_ = ['./mask2former_swin-l.py', '../tasks/coco_panoptic_paper.py']
model = {{_base_.task}}
