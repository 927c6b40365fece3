# Four iterations: shows that everything runs, and nothing else.
_base_ = '../pretrain/masks_smoke.py'
model = dict(
    _delete_=True, type='ColormapReconstructor', mask_decoder={{_base_.mask_decoder}})
