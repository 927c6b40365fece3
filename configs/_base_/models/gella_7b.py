# GELLA at the paper's sizes (5.3): CLIP ViT-L/14-336, MobileNetV2, Mask2Former's decoder with 9 layers
# and 256 channels, LLaVA-v1.5. *Assumed*: 100 queries, attention of 256 in ResoBlend, colormaps of
# 1024 px, answers of at most 512 tokens.
_base_ = './mask_path_7b.py'

model = dict(
    _delete_=True,
    type='Gella',
    image_encoder=dict(type='ClipImageEncoder', pretrained='pretrained:clip', frozen=True),
    colormap_encoder=dict(type='MobileNetV2', out_indices=(1, 2, 4, 7), init_cfg=[]),
    resoblend=dict(
        type='ResoBlend',
        mask_channels=[24, 32, 96, 1280],
        out_channels=256,
        channels=256,
        heads=8,
        query='image'),
    mask_decoder={{_base_.mask_decoder}},
    language=dict(
        type='LanguageDecoder', pretrained='pretrained:llm', max_tokens=1024, max_new_tokens=512),
    association=dict(type='AssociationHead', channels=256, structure='fc'),
    colormap_size=1024)
