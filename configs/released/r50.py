# What `esg convert r50` checks ImageNet weights of a ResNet with.
_base_ = [
    '../_base_/released.py', '../_base_/default_runtime.py', '../_base_/models/mask2former_r50.py']
release = dict(type='ResNetRelease')
