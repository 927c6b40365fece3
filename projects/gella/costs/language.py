"""LLaMA and the linear maps around it, built on the meta device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from projects.gella.image_encoder import quiet
from workbench.costs.count import Component
from workbench.costs.ledger import COMPONENTS

# arXiv 2302.13971, Table 2; width of the MLP from the released configs.
LLAMA = {
    "7B": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
    },
    "13B": {
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
    },
}


@COMPONENTS.register_module()
def llama(
    size: str | Mapping[str, int],
    tokens: Mapping[str, int],
    generated: int = 1,
    vocab_size: int = 32000,
) -> Component:
    """LLaMA on visual and text tokens.

    Attention is counted for all pairs of tokens, as if it were not causal.

    Args:
        size: A key of ``LLAMA``, or those fields.
        tokens: What the first pass reads: number of tokens by kind.
        generated: Passes, each one token longer than the one before. 1 is a single pass over prompt
            and answer, which costs what generation with a key-value cache does but for the
            attention; more is generation without a cache.
        vocab_size: Tokens of the vocabulary, special ones included.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LLAMA[size] if isinstance(size, str) else size
    config = LlamaConfig(vocab_size=vocab_size, attn_implementation="eager", **shape)
    with quiet():
        model = LlamaForCausalLM(config).eval()
    first = sum(tokens.values())

    def run() -> None:
        for length in range(first, first + generated):
            embeddings = torch.empty(1, length, config.hidden_size)
            mask = torch.empty(1, 1, length, length)
            model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False)

    return Component(model, run)


@COMPONENTS.register_module()
def linear_layers(widths: Sequence[int], tokens: int) -> Component:
    """Fully connected layers, one after the other.

    Args:
        widths: Width of the input and of each layer's output.
        tokens: Tokens they are applied to.
    """
    pairs = zip(widths[:-1], widths[1:], strict=True)
    layers = nn.Sequential(*(nn.Linear(*pair) for pair in pairs))
    return Component(layers, lambda: layers(torch.empty(tokens, widths[0])))
