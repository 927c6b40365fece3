"""A converted Mask2Former computes what transformers' implementation of the release computes."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.projects.released import released_names as names
from workbench.cli.main import main
from workbench.segmentation.segmenter import Segmenter

ROOT = Path(__file__).parents[3]
PIXELS, BACKBONE = "model.pixel_level_module.decoder.", "model.pixel_level_module.encoder."
DECODER = "model.transformer_module.decoder."
# Released names to those of transformers 5.
RENAMED = [
    (r"backbone\.patch_embed\.proj", BACKBONE + "swin.embeddings.patch_embeddings.projection"),
    (r"backbone\.patch_embed\.norm", BACKBONE + "swin.embeddings.norm"),
    (r"backbone\.layers", BACKBONE + "swin.encoder.layers"),
    *((rf"backbone\.norm{stage}", f"{BACKBONE}hidden_states_norms.stage{stage + 1}")
      for stage in range(4)),
    (r"\.attn\.relative_position_bias_table",
     ".attention.relative_position_bias.relative_position_bias_table"),
    (r"\.attn\.proj", ".attention.o_proj"),
    (r"(blocks\.\d+)\.norm1", r"\1.layernorm_before"),
    (r"(blocks\.\d+)\.norm2", r"\1.layernorm_after"),
    (r"sem_seg_head\.pixel_decoder\.transformer\.", PIXELS),
    (r"sem_seg_head\.pixel_decoder\.input_proj", PIXELS + "input_projections"),
    (r"sem_seg_head\.pixel_decoder\.mask_features", PIXELS + "mask_projection"),
    (r"sem_seg_head\.pixel_decoder\.(adapter_1|layer_1)\.norm", PIXELS + r"\1.1"),
    (r"sem_seg_head\.pixel_decoder\.(adapter_1|layer_1)", PIXELS + r"\1.0"),
    (r"(encoder\.layers\.\d+)\.norm1", r"\1.self_attn_layer_norm"),
    (r"(encoder\.layers\.\d+)\.norm2", r"\1.final_layer_norm"),
    (r"sem_seg_head\.predictor\.class_embed", "class_predictor"),
    (r"sem_seg_head\.predictor\.query_feat", "model.transformer_module.queries_features"),
    (r"sem_seg_head\.predictor\.query_embed", "model.transformer_module.queries_embedder"),
    (r"sem_seg_head\.predictor\.level_embed", "model.transformer_module.level_embed"),
    (r"sem_seg_head\.predictor\.decoder_norm", DECODER + "layernorm"),
    (r"sem_seg_head\.predictor\.mask_embed\.layers\.(\d)",
     DECODER + r"mask_predictor.mask_embedder.\1.0"),
    (r"sem_seg_head\.predictor\.transformer_cross_attention_layers\.(\d+)\.multihead_attn",
     DECODER + r"layers.\1.cross_attn"),
    (r"sem_seg_head\.predictor\.transformer_cross_attention_layers\.(\d+)\.norm",
     DECODER + r"layers.\1.cross_attn_layer_norm"),
    (r"sem_seg_head\.predictor\.transformer_self_attention_layers\.(\d+)\.self_attn",
     DECODER + r"layers.\1.self_attn"),
    (r"sem_seg_head\.predictor\.transformer_self_attention_layers\.(\d+)\.norm",
     DECODER + r"layers.\1.self_attn_layer_norm"),
    (r"sem_seg_head\.predictor\.transformer_ffn_layers\.(\d+)\.norm",
     DECODER + r"layers.\1.final_layer_norm"),
    (r"sem_seg_head\.predictor\.transformer_ffn_layers\.(\d+)", DECODER + r"layers.\1"),
    (r"(layers\.\d+)\.linear(\d)", r"\1.fc\2"),
]  # fmt: skip
JOINED = re.compile(r"(.*)\.(?:attn\.qkv\.|self_attn\.in_proj_)(weight|bias)")


def in_transformers(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return released weights under transformers' names, queries, keys and values apart."""
    found = {}
    for name, value in released.items():
        if joined := JOINED.fullmatch(name):
            # Swin's windows and the decoder's layers name the module differently.
            module = ".attention" if joined[1].startswith("backbone") else ".self_attn"
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                found[renamed(f"{joined[1]}{module}.{part}_proj.{joined[2]}")] = piece
        elif not name.endswith("relative_position_index"):
            found[renamed(name)] = value
    return found


def renamed(name: str) -> str:
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def reference(released: dict[str, Tensor], classes: int) -> torch.nn.Module:
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        SwinConfig,
    )

    backbone = SwinConfig(
        embed_dim=16,
        depths=[2, 2, 2, 2],
        num_heads=[2, 2, 4, 4],
        window_size=5,
        drop_path_rate=0.0,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=48,
        encoder_layers=2,
        decoder_layers=4,
        dim_feedforward=64,
        num_queries=12,
        num_labels=classes,
    )
    model = Mask2FormerForUniversalSegmentation(config).eval()
    weights = in_transformers(released)
    lacking = model.state_dict().keys() - weights.keys()
    # The norm of a classifier, which a backbone does not use.
    assert lacking == {f"{BACKBONE}swin.layernorm.{part}" for part in ("weight", "bias")}
    model.load_state_dict({**model.state_dict(), **weights})
    return model


@pytest.mark.parametrize("size", [(64, 96), (96, 160)])
def test_logits_and_masks_are_those_of_transformers(tmp_path, monkeypatch, size) -> None:
    monkeypatch.chdir(ROOT)
    classes = 3
    released = names.drawn(names.small(classes))
    torch.save({"model": released}, tmp_path / "released.pth")
    arguments = ["mask2former", str(tmp_path / "released.pth"), str(tmp_path / "ours.pth")]
    assert main(["convert", *arguments, "--task", "semantic"]) == 0
    ours = Segmenter.from_checkpoint(tmp_path / "ours.pth").model.eval()
    theirs = reference(released, classes)

    pixels = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(pixel_values=pixels, output_hidden_states=True)
        maps = ours.extract_feat(pixels[:, None])
        class_logits, mask_logits = ours.head.predict(maps, 1)
        mask_features, memories = ours.head.pixel_decoder(maps)
    for found, wanted in zip(maps, expected.encoder_hidden_states, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    wanted = expected.pixel_decoder_last_hidden_state
    torch.testing.assert_close(mask_features, wanted, atol=1e-4, rtol=0)
    for found, wanted in zip(memories, expected.pixel_decoder_hidden_states, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(class_logits, expected.class_queries_logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        mask_logits[:, :, 0], expected.masks_queries_logits, atol=1e-4, rtol=0
    )
