# The other reading of the text around Eq. 14: the colormap's level asks, the image answers.
_base_ = '../../_base_/pretrain/mask_path_mini.py'

model = dict(resoblend=dict(query='mask'))
