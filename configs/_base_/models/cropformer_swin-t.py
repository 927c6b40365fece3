# CropFormer on Swin-T: view association with one layer, as released (qqlu/Entity d67e36f).
_base_ = './mask2former_swin-t.py'

model = dict(
    head=dict(
        type='CropFormerHead',
        image_loss_weight=0.5,
        view_encoding='index',
        association=dict(
            type='ViewAssociation',
            embed_dims=256,
            num_heads=8,
            feedforward_channels=2048,
            num_layers=1)))
