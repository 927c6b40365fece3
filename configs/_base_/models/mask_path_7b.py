# Mask2Former's decoder as GELLA's mask decoder, fed with 256 channels a level.
_base_ = './mask2former_head.py'
mask_decoder = dict(type='EntityMaskDecoder', in_channels=[256, 256, 256, 256])
