"""View association module: batch queries from the image-level embeddings of all views (Eq. 4)."""

from __future__ import annotations

from typing import Literal, get_args

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

Start = Literal["random", "identity"]


class _AssociationLayer(nn.Module):
    """Cross-attention to all views, self-attention, feed-forward network; residual, norm after."""

    def __init__(self, embed_dims: int, num_heads: int, feedforward_channels: int) -> None:
        super().__init__()
        self.cross_attention = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.self_attention = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.ffn = nn.Sequential(
            nn.Linear(embed_dims, feedforward_channels),
            nn.ReLU(inplace=True),
            nn.Linear(feedforward_channels, embed_dims),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))

    def forward(self, queries: Tensor, positions: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Map (B, N, C) queries to (B, N, C); keys and values are (B, T N, C)."""
        seen, _ = self.cross_attention(queries + positions, keys, values, need_weights=False)
        queries = self.norms[0](queries + seen)
        mixed, _ = self.self_attention(queries, queries, queries, need_weights=False)
        queries = self.norms[1](queries + mixed)
        return self.norms[2](queries + self.ffn(queries))

    def add_nothing(self) -> None:
        """Zero what the residual branches add, so that queries pass through, normalised."""
        for last in (self.cross_attention.out_proj, self.self_attention.out_proj, self.ffn[2]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)


@MODELS.register_module()
class ViewAssociation(BaseModule):
    """Turn the image-level embeddings of all views into one query an entity.

    Source: paper 4.1, Eq. 4; one layer, eight heads, and positions added to queries and keys as in
    qqlu/Entity d67e36f (``Make3dQueries``), which adds none in the self-attention.

    Args:
        embed_dims: C.
        num_heads: Heads of both attentions.
        feedforward_channels: Hidden width of the FFN.
        num_layers: Layers in sequence.
        start: ``random`` as released, or ``identity`` (ours): before training, an entity's batch
            query is its embedding in the full view. A schedule of some hundred iterations is too
            short to find that out.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        num_layers: int = 1,
        start: Start = "random",
    ) -> None:
        super().__init__()
        if start not in get_args(Start):
            raise ValueError(f"association start {start!r} is not one of {get_args(Start)}")
        self.start = start
        self.layers = nn.ModuleList(
            _AssociationLayer(embed_dims, num_heads, feedforward_channels)
            for _ in range(num_layers)
        )

    def forward(self, embeddings: Tensor, query_positions: Tensor) -> Tensor:
        """Associate the views of each image.

        Args:
            embeddings: (B, T, N, C) image-level embeddings, the full image as view 0.
            query_positions: (N, C) learned positions, the same in every view.

        Returns:
            (B, N, C) batch-level queries.
        """
        queries = embeddings[:, 0]
        values = embeddings.flatten(1, 2)
        keys = (embeddings + query_positions).flatten(1, 2)
        for layer in self.layers:
            queries = layer(queries, query_positions, keys, values)
        return queries

    def init_weights(self) -> None:
        """Xavier-initialise all matrices, as the decoder's, and apply ``start``."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        if self.start == "identity":
            for layer in self.layers:
                layer.add_nothing()
