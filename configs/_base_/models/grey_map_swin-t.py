# Mask2Former that gives grey maps too; weights are those of mask2former_swin-t.py.
_base_ = './mask2former_swin-t.py'
model = dict(type='GreyMapSegmentor')
