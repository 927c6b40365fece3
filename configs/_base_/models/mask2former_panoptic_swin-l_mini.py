# Mask2Former with the classes of the generated worlds on the small Swin-L.
_base_ = ['./mask2former_swin-l_mini.py', '../tasks/coco_panoptic_mini.py']
model = {{_base_.task}}
