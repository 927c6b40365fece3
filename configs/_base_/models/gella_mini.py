# GELLA for two CPU cores, with the small CLIP and LLaMA of the stage `pretrain`; its mask path starts
# from the colormap-only model of the same stage.
_base_ = './mask_path_mini.py'

model = dict(
    type='Gella',
    image_encoder=dict(type='ClipImageEncoder', pretrained='pretrained:clip', frozen=True),
    colormap_encoder={{_base_.colormap_encoder}},
    resoblend={{_base_.resoblend}},
    mask_decoder={{_base_.mask_decoder}},
    language=dict(
        type='LanguageDecoder',
        pretrained='pretrained:llm',
        visual_pool=2,  # 64 of 256 tokens: they are most of a sequence, and so of its cost
        max_tokens=384,
        max_new_tokens=96,
        recalled=3,
        recall_weight=0.5),
    association=dict(type='AssociationHead', channels=64, structure='fc'),
    masks_pretrained='pretrained:masks',
    colormap_size=128,
    association_weight=4.0)
