_base_ = './mask2former_mini.py'

model = dict(
    head=dict(
        type='CropFormerHead',
        image_loss_weight=0.5,
        view_encoding='index',
        association=dict(
            type='ViewAssociation',
            embed_dims=64,
            num_heads=4,
            feedforward_channels=256,
            num_layers=1,
            start='identity')))
