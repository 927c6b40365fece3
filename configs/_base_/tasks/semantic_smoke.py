# As the mini scale, in batches of 2 and with a validation of 2 images.
_base_ = './semantic_mini.py'

train_dataloader = dict(batch_size=2)
val_dataloader = dict(dataset=dict(max_images=2))
