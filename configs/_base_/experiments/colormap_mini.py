# Colormap-only reconstruction (Table XVI) with an encoder that the config names; trained as the start
# of GELLA's mask path is, on colormaps of the pictures' size, 128 px. A trained model is given twice
# that size: masks come out at a quarter of it, which is coarse for small entities.
_base_ = '../pretrain/masks_mini.py'
model = dict(
    _delete_=True, type='ColormapReconstructor', mask_decoder={{_base_.mask_decoder}})
val_dataloader = dict(dataset=dict(colormap_size=256))
