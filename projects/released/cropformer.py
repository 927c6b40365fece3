"""Released CropFormer and Mask2Former checkpoints: names and sizes.

Source: qqlu/Entity d67e36f (``cropformer_transformer_decoder.py``) and
facebookresearch/Mask2Former 9b0651c (``msdeformattn.py``, ``mask2former_transformer_decoder.py``,
``mask_former_head.py`` for the names of older releases).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

from projects.released.backbones import BACKBONE_NAMES, backbone_config, check_axes, count
from workbench.conversion.name_map import NameMap, Rule
from workbench.conversion.release import RELEASES, Release, Tensors
from workbench.errors import BadInput

HEAD = "sem_seg_head."
_PIXELS, _OUR_PIXELS = "sem_seg_head.pixel_decoder.", "head.pixel_decoder."
_DECODER, _OUR_LAYER = "sem_seg_head.predictor.", "head.transformer_decoder.layers.{i}."
_ENCODER = f"{_PIXELS}transformer.encoder.layers.{{i}}."
_FIRST_ENCODER = _ENCODER.format(i=0)
_ENCODER_LAYERS = re.escape(f"{_PIXELS}transformer.encoder.layers.")
_OUR_ENCODER = f"{_OUR_PIXELS}encoder.layers.{{i}}."
_VIEWS, _OUR_VIEWS = f"{_DECODER}make_3d.enc_", "head.association.layers.{i}."

# First weights on the backbone's maps, fine to coarse.
INPUTS = (f"{_PIXELS}adapter_1.weight", *(f"{_PIXELS}input_proj.{i}.0.weight" for i in (2, 1, 0)))


def _rules(pairs: dict[str, str], released: str, ours: str) -> list[Rule]:
    return [Rule(f"{released}{theirs}", f"{ours}{mine}") for theirs, mine in pairs.items()]


PIXEL_DECODER_NAMES = NameMap(
    [
        *_rules(
            {
                "self_attn.{rest}": "self_attn.{rest}",
                "norm1.{rest}": "norms.0.{rest}",
                "linear1.{rest}": "ffn.layers.0.0.{rest}",
                "linear2.{rest}": "ffn.layers.1.{rest}",
                "norm2.{rest}": "norms.1.{rest}",
            },
            _ENCODER,
            _OUR_ENCODER,
        ),
        *_rules(
            {
                "input_proj.{i}.0.{rest}": "input_convs.{i}.conv.{rest}",
                "input_proj.{i}.1.{rest}": "input_convs.{i}.gn.{rest}",
                "transformer.level_embed": "level_encoding.weight",
                "adapter_1.norm.{rest}": "lateral_convs.0.gn.{rest}",
                "adapter_1.{rest}": "lateral_convs.0.conv.{rest}",
                "layer_1.norm.{rest}": "output_convs.0.gn.{rest}",
                "layer_1.{rest}": "output_convs.0.conv.{rest}",
                "mask_features.{rest}": "mask_feature.{rest}",
            },
            _PIXELS,
            _OUR_PIXELS,
        ),
    ]
)
DECODER_NAMES = NameMap(
    [
        *_rules(
            {
                "cross_attention_layers.{i}.multihead_attn.{rest}": "cross_attn.attn.{rest}",
                "cross_attention_layers.{i}.norm.{rest}": "norms.0.{rest}",
                "self_attention_layers.{i}.self_attn.{rest}": "self_attn.attn.{rest}",
                "self_attention_layers.{i}.norm.{rest}": "norms.1.{rest}",
                "ffn_layers.{i}.linear1.{rest}": "ffn.layers.0.0.{rest}",
                "ffn_layers.{i}.linear2.{rest}": "ffn.layers.1.{rest}",
                "ffn_layers.{i}.norm.{rest}": "norms.2.{rest}",
            },
            f"{_DECODER}transformer_",
            _OUR_LAYER,
        ),
        *_rules(
            {
                "decoder_norm.{rest}": "transformer_decoder.post_norm.{rest}",
                "query_feat.{rest}": "query_feat.{rest}",
                "query_embed.{rest}": "query_embed.{rest}",
                "level_embed.{rest}": "level_embed.{rest}",
                "input_proj.{i}.{rest}": "decoder_input_projs.{i}.{rest}",
                "class_embed.{rest}": "cls_embed.{rest}",
                # Three linear layers with an activation, which has no weights, after two of them.
                **{f"mask_embed.layers.{i}.{{rest}}": f"mask_embed.{2 * i}.{{rest}}"
                   for i in range(3)},
            },
            _DECODER,
            "head.",
        ),
    ]
)  # fmt: skip
ASSOCIATION_NAMES = NameMap(
    _rules(
        {
            "crosattn_3d.{i}.multihead_attn.{rest}": "cross_attention.{rest}",
            "crosattn_3d.{i}.norm.{rest}": "norms.0.{rest}",
            "selfattn_3d.{i}.self_attn.{rest}": "self_attention.{rest}",
            "selfattn_3d.{i}.norm.{rest}": "norms.1.{rest}",
            "ffn_3d.{i}.linear1.{rest}": "ffn.0.{rest}",
            "ffn_3d.{i}.linear2.{rest}": "ffn.2.{rest}",
            "ffn_3d.{i}.norm.{rest}": "norms.2.{rest}",
        },
        _VIEWS,
        _OUR_VIEWS,
    )
)
MASK2FORMER_NAMES = BACKBONE_NAMES + PIXEL_DECODER_NAMES + DECODER_NAMES


class HeadRelease(Release):
    """A released model of backbone, pixel decoder and masked transformer decoder.

    Args:
        backbones: Configs of the backbones that it may have, see :func:`backbone_config`.
    """

    names = MASK2FORMER_NAMES
    # Class weights of the loss, and, in the oldest files, mean and deviation of pixels.
    unused = ("criterion*.empty_weight", "pixel_mean", "pixel_std")

    def __init__(self, backbones: dict[str, Any]) -> None:
        self.backbones = backbones

    def modernise(self, tensors: Tensors) -> Tensors:
        return {_modern(name): value for name, value in tensors.items()}

    def fit(self, config: Config, tensors: Tensors, path: Path) -> None:
        check_complete(tensors, path)
        check_pixels(config.model.data_preprocessor, tensors, path)
        config.model.backbone = backbone_config(self.backbones, tensors, path)
        fit_head(config.model.head, tensors)


@RELEASES.register_module()
class CropFormerRelease(HeadRelease):
    """CropFormer, whose decoder is used for single views and for all together."""

    names = MASK2FORMER_NAMES + ASSOCIATION_NAMES

    def fit(self, config: Config, tensors: Tensors, path: Path) -> None:
        super().fit(config, tensors, path)
        if num_classes(tensors) != 1:
            problem = f"{num_classes(tensors)} classes, not one"
            raise BadInput(path, "class_embed", problem, "use `esg convert mask2former --task`")
        name = f"{_DECODER}make_3d.enc_ffn_3d.0.linear1.weight"
        if name not in tensors:
            fix = "use `esg convert mask2former`"
            raise BadInput(path, "make_3d", "missing: no CropFormer", fix)
        check_axes({name: 2}, tensors, path)
        hidden = tensors[name]
        config.model.head.association.update(
            embed_dims=hidden.shape[1],
            feedforward_channels=hidden.shape[0],
            num_layers=count(tensors, rf"{re.escape(_VIEWS)}ffn_3d\.(\d+)\."),
        )


def num_classes(tensors: Tensors) -> int:
    """Return the number of classes without "no object"."""
    return len(tensors[f"{_DECODER}class_embed.bias"]) - 1


def check_complete(tensors: Tensors, path: Path) -> None:
    """Refuse a file that lacks what tells a model's sizes.

    Raises:
        BadInput: No such weights in it, or of another number of axes.
    """
    axes = {
        f"{_DECODER}query_feat.weight": 2,
        f"{_DECODER}class_embed.bias": 1,
        f"{_DECODER}transformer_ffn_layers.0.linear1.weight": 2,
        **dict.fromkeys(INPUTS, 4),
        f"{_PIXELS}mask_features.weight": 4,
        f"{_FIRST_ENCODER}linear1.weight": 2,
        f"{_FIRST_ENCODER}self_attn.sampling_offsets.bias": 1,
    }
    missing = [name for name in axes if name not in tensors]
    if missing:
        fix = "name the kind that it is, see `esg convert --help`"
        raise BadInput(path, "model", f"no Mask2Former: {missing[0]} is missing", fix)
    check_axes(axes, tensors, path)


def check_pixels(preprocessor: ConfigDict, tensors: Tensors, path: Path) -> None:
    """Refuse a file whose model sees other pixels than ours.

    Args:
        preprocessor: Config of what normalises pixels, in RGB.
        tensors: Of the file; the oldest have ``pixel_mean`` and ``pixel_std``.
        path: Their file, for errors.

    Raises:
        BadInput: Another mean or deviation, or another order of colours.
    """
    own = MODELS.build(preprocessor)
    for name, value in (("pixel_mean", own.mean), ("pixel_std", own.std)):
        given = tensors.get(name, value).double().flatten()
        wanted = value.double().flatten()
        if given.shape != wanted.shape or not torch.allclose(given, wanted):
            numbers = [round(number, 3) for number in given[: len(wanted)].tolist()]
            problem = f"{numbers}, not {[round(number, 3) for number in wanted.tolist()]}"
            fix = "only models of RGB pictures that are normalised so can be converted"
            raise BadInput(path, name, problem, fix)


def fit_head(head: ConfigDict, tensors: Tensors) -> None:
    """Set the sizes of a head's config to those of released tensors, in place.

    Numbers of heads cannot be told from tensors and stay as they are.
    """
    head.num_queries, width = tensors[f"{_DECODER}query_feat.weight"].shape
    head.in_channels = [tensors[name].shape[1] for name in INPUTS]
    head.feat_channels = width
    head.out_channels = len(tensors[f"{_PIXELS}mask_features.weight"])
    for part in (head, head.pixel_decoder):
        part.positional_encoding.num_feats = width // 2
    encoder, decoder = head.pixel_decoder.encoder, head.transformer_decoder
    encoder.num_layers = count(tensors, rf"{_ENCODER_LAYERS}(\d+)\.")
    decoder.num_layers = count(tensors, rf"{re.escape(_DECODER)}transformer_ffn_layers\.(\d+)\.")
    attention = encoder.layer_cfg.self_attn_cfg
    offsets = len(tensors[f"{_FIRST_ENCODER}self_attn.sampling_offsets.bias"])
    attention.num_points = offsets // (attention.num_heads * attention.num_levels * 2)
    for layers, first in (
        (encoder, f"{_FIRST_ENCODER}linear1.weight"),
        (decoder, f"{_DECODER}transformer_ffn_layers.0.linear1.weight"),
    ):
        _fit_layer(layers.layer_cfg, len(tensors[first]), width)


def _fit_layer(layer: ConfigDict, hidden: int, width: int) -> None:
    for part in layer.values():
        part.embed_dims = width
    layer.ffn_cfg.feedforward_channels = hidden


def _modern(name: str) -> str:
    """Return the newest release's name of a tensor.

    Once the pixel decoder's names had no part of their own, queries were called ``static_query``,
    and CropFormer's COCO start has the pixel decoder's part twice.
    """
    name = name.replace("static_query", "query_feat")
    name = name.replace("pixel_decoder.pixel_decoder.", "pixel_decoder.")
    if name.startswith(HEAD) and not name.startswith((_PIXELS, _DECODER)):
        return _PIXELS + name.removeprefix(HEAD)
    return name


def oldest_name(name: str) -> str:
    """Return what a tensor of the newest release was called at first."""
    return name.replace(_PIXELS, HEAD).replace("query_feat", "static_query")
