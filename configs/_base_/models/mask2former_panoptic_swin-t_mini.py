# Mask2Former with the classes of the generated worlds on the small Swin-T.
_base_ = ['./mask2former_swin-t_mini.py', '../tasks/coco_panoptic_mini.py']
model = {{_base_.task}}
