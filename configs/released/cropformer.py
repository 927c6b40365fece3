# What `esg convert cropformer` writes into a checkpoint, with the sizes of its tensors.
_base_ = [
    '../_base_/released.py',
    '../_base_/default_runtime.py', '../_base_/models/cropformer_swin-t.py',
    '../_base_/datasets/entities_crops_paper.py'
]
release = dict(type='CropFormerRelease')
