# What `esg convert swin` checks ImageNet weights of a Swin with.
_base_ = [
    '../_base_/released.py', '../_base_/default_runtime.py', '../_base_/models/mask2former_swin-t.py']
release = dict(type='SwinRelease')
