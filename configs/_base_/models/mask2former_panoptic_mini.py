# Mask2Former with the classes of the generated worlds.
_base_ = ['./mask2former_mini.py', '../tasks/coco_panoptic_mini.py']
model = {{_base_.task}}
