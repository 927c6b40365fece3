# Mask2Former with COCO's panoptic classes; 5.3.3 implies Swin-T, Table XIII names no backbone.
_base_ = ['./mask2former_swin-t.py', '../tasks/coco_panoptic_paper.py']
model = {{_base_.task}}
