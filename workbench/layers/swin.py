"""Swin Transformer that does less: same parameters and outputs as MMDetection's, fewer copies.

Letters: B images, (H, W) size of a stage's map, C channels, M = window side ** 2 pixels of a
window, K windows worked on together, P pixels of the map in them.

Every pixel belongs to one window, shifted or not, and everything but attention is done pixel by
pixel. So a block is run on some windows from end to end: their pixels are read once, normalised,
attended, fed forward and written back over the old ones, while they are in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import (
    ShiftWindowMSA,
    SwinBlock,
    SwinBlockSequence,
    SwinTransformer,
    WindowMSA,
)
from mmdet.models.layers import PatchMerging
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Size = tuple[int, int]

BLOCKED = -100.0  # added where a pixel must not look, as in MMDetection's
CACHED_VALUES = 1 << 18  # pixels x channels worked on together on a CPU at inference
BATCHED_VALUES = 1 << 24  # the same elsewhere: limits memory


class Windows(NamedTuple):
    """Some windows of a stage's maps.

    Attributes:
        pixels: (P,) their pixels, as indices among the B H W of all maps, window by window.
        places: (P,) where these are among the K M places of the windows; None if all are taken,
            none being beyond the map's border.
        kinds: (K,) 2 for a window in the last row, plus 1 for one in the last column: in shifted
            ones opposite borders of the map meet.
    """

    pixels: Tensor
    places: Tensor | None
    kinds: Tensor

    def to(self, device: torch.device) -> Windows:
        places = None if self.places is None else self.places.to(device)
        return Windows(self.pixels.to(device), places, self.kinds.to(device))


@MODELS.register_module()
class FusedSwinTransformer(SwinTransformer):
    """MMDetection's ``SwinTransformer``, with fused attention and, at inference, little memory.

    Weights and arguments are the same. Maps are returned channels last.
    """

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images (B, 3, H, W) to a map (B, C, h, w) of each of ``out_indices``."""
        pixels, size = self.patch_embed(images)
        if self.use_abs_pos_embed:
            pixels = pixels + self.absolute_pos_embed
        pixels = self.drop_after_pos(pixels)
        whole = self.training or torch.is_grad_enabled()
        maps = []
        for index, stage in enumerate(self.stages):
            pixels = _run_stage(stage, pixels, size, whole)
            if index in self.out_indices:
                normed = getattr(self, f"norm{index}")(pixels)
                maps.append(normed.unflatten(1, size).permute(0, 3, 1, 2))
            if stage.downsample:
                pixels, size = _merge_patches(stage.downsample, pixels, size, whole)
        return maps


def _run_stage(stage: SwinBlockSequence, pixels: Tensor, size: Size, whole: bool) -> Tensor:
    """Run a stage's blocks on (B, H W, C); unless ``whole``, in place and part by part."""
    batch = len(pixels)
    pixels = pixels.flatten(0, 1).contiguous()
    layouts: dict[int, list[Windows]] = {}
    for block in stage.blocks:
        attention = block.attn
        if attention.shift_size not in layouts:
            per_part = None if whole else _windows_at_once(pixels, attention.window_size)
            layouts[attention.shift_size] = [
                windows.to(pixels.device)
                for windows in split_into_windows(
                    size, batch, attention.window_size, attention.shift_size, per_part
                )
            ]
        parts = layouts[attention.shift_size]
        if not whole:
            _update(block, pixels, parts)
        elif block.with_cp and pixels.requires_grad:
            pixels = checkpoint(_updated, block, pixels, parts[0], batch, use_reentrant=False)
        else:
            pixels = _updated(block, pixels, parts[0], batch)
    return pixels.unflatten(0, (batch, -1))


def _windows_at_once(pixels: Tensor, window_size: int) -> int:
    values = CACHED_VALUES if pixels.device.type == "cpu" else BATCHED_VALUES
    return max(1, values // (window_size**2 * pixels.shape[-1]))


def split_into_windows(
    size: Size, batch: int, window_size: int, shift: int, per_part: int | None = None
) -> Iterator[Windows]:
    """Yield the windows of maps, up to ``per_part`` together, all of them by default.

    Args:
        size: (H, W) of a map, padded at the lower and right border to whole windows.
        batch: B maps, one after the other.
        window_size: Side of a window in pixels.
        shift: How far windows are moved towards the lower right, round the border, in pixels.
        per_part: K at most.
    """
    height, width = size
    padding = (0, -width % window_size, 0, -height % window_size)
    places = F.pad(torch.arange(height * width, device="cpu").view(size), padding, value=-1)
    places = places.roll((-shift, -shift), (0, 1))
    places = places.unfold(0, window_size, window_size).unfold(1, window_size, window_size)
    rows, columns = places.shape[:2]
    kinds = torch.zeros((rows, columns), dtype=torch.int64, device="cpu")
    kinds[-1] += 2
    kinds[:, -1] += 1
    first = torch.arange(batch, device="cpu")[:, None, None] * (height * width)
    places = places.reshape(1, rows * columns, -1)
    places = torch.where(places < 0, places, places + first).flatten(0, 1)
    kinds = kinds.flatten().repeat(batch)
    per_part = per_part or len(kinds)
    for pixels, part in zip(places.split(per_part), kinds.split(per_part), strict=True):
        flat = pixels.flatten()
        taken = (flat >= 0).nonzero().flatten()
        yield Windows(flat[taken], taken if len(taken) < len(flat) else None, part)


def _updated(block: SwinBlock, pixels: Tensor, windows: Windows, batch: int) -> Tensor:
    """Return all pixels (B H W, C) after a block; ``windows`` are all of them."""
    after = _run_block(block, pixels[windows.pixels], windows, _masks(block.attn), batch)
    return pixels.index_copy(0, windows.pixels, after.to(pixels.dtype))


def _update(block: SwinBlock, pixels: Tensor, parts: list[Windows]) -> None:
    """Run a block on pixels (B H W, C), in place and part by part."""
    masks = _masks(block.attn)
    for windows in parts:
        before = pixels.index_select(0, windows.pixels)
        after = _run_block(block, before, windows, masks)
        pixels.index_copy_(0, windows.pixels, after.to(pixels.dtype))


def _run_block(
    block: SwinBlock, pixels: Tensor, windows: Windows, masks: Tensor, batch: int = 1
) -> Tensor:
    """Run a block on the pixels (P, C) of windows, which are those of ``batch`` images."""
    attended = _attend(block.attn.w_msa, block.norm1(pixels), windows, masks)
    pixels = pixels + _drop_images(block.attn.drop, attended, batch)
    fed = block.ffn.layers(block.norm2(pixels))
    return pixels + _drop_images(block.ffn.dropout_layer, fed, batch)


def _drop_images(drop_path: nn.Module, branch: Tensor, batch: int) -> Tensor:
    return drop_path(branch.unflatten(0, (batch, -1))).flatten(0, 1)


def _attend(attention: WindowMSA, pixels: Tensor, windows: Windows, masks: Tensor) -> Tensor:
    """Let the pixels (P, C) of each window attend to each other; beyond the border are zeros."""
    count = len(windows.kinds)
    if windows.places is not None:
        places = pixels.new_zeros((count * masks.shape[-1], pixels.shape[-1]))
        pixels = places.index_copy(0, windows.places, pixels)
    projected = attention.qkv(pixels).view(count, masks.shape[-1], 3, attention.num_heads, -1)
    query, key, value = projected.permute(2, 0, 3, 1, 4)
    attended = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=_masks_of(windows, masks).to(query.dtype),
        dropout_p=attention.attn_drop.p if attention.training else 0.0,
        scale=attention.scale,
    )
    attended = attended.transpose(1, 2).reshape(len(pixels), -1)
    if windows.places is not None:
        attended = attended.index_select(0, windows.places)
    return attention.proj_drop(attention.proj(attended))


def _masks(attention: ShiftWindowMSA) -> Tensor:
    """Return what is added to the logits of a window of each kind, (4 or 1 kinds, heads, M, M).

    It is the bias of the relative position; in shifted windows also what hides pixels from the
    opposite border of the map.
    """
    table = attention.w_msa.relative_position_bias_table
    index = attention.w_msa.relative_position_index
    bias = table[index.flatten()].view(*index.shape, -1).permute(2, 0, 1)[None]
    if attention.shift_size == 0:
        return bias.contiguous()
    side = torch.arange(attention.window_size, device=table.device)
    wrapped = (side >= attention.window_size - attention.shift_size).long()
    rows, columns = wrapped[:, None], wrapped[None]
    nothing = torch.zeros_like(rows + columns)
    regions = torch.stack([nothing, nothing + columns, rows + nothing, 2 * rows + columns])
    regions = regions.flatten(1)
    hidden = (regions[:, :, None] != regions[:, None]).to(bias.dtype) * BLOCKED
    return bias + hidden[:, None]


def _masks_of(windows: Windows, masks: Tensor) -> Tensor:
    """Return the mask of each window, (K, heads, M, M)."""
    if len(masks) == 1:
        return masks.expand(len(windows.kinds), -1, -1, -1)
    return masks[windows.kinds]


def _merge_patches(
    merging: PatchMerging, pixels: Tensor, size: Size, whole: bool
) -> tuple[Tensor, Size]:
    """Halve the resolution of (B, H W, C); unless ``whole``, in strips of some rows."""
    height, width = size
    strip = max(2, CACHED_VALUES // (width * pixels.shape[-1]) // 2 * 2)
    if whole or strip >= height or merging.sampler.stride != (2, 2):
        return merging(pixels, size)
    images = []
    for image in pixels.unflatten(1, size):
        strips = [
            merging(rows.flatten(0, 1)[None], (len(rows), width))[0] for rows in image.split(strip)
        ]
        images.append(torch.cat(strips, 1))
    return torch.cat(images), (-(-height // 2), -(-width // 2))
