# The head of mask2former_r50.py under a name of its own, for models that change and reuse it.
_base_ = './mask2former_r50.py'
mask_decoder = {{_base_.model.head}}
