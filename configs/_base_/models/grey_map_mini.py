# Mask2Former that gives grey maps too; weights are those of mask2former_mini.py.
_base_ = './mask2former_mini.py'
model = dict(type='GreyMapSegmentor')
