"""Sentences that explain differences of Tables XI and XII by arithmetic on counts.

What a printed number was made of is not in the paper: these sentences are inferences and say so.
"""

from __future__ import annotations

import math
from typing import Any

from workbench.costs.count import FLOPS_PER_MULTIPLY_ADD
from workbench.costs.ledger import REMARKS
from workbench.costs.row import CostRow

GIGA = 1e9


@REMARKS.register_module()
def implied_tokens(row: CostRow, about: str, component: str) -> str:
    """Say how many tokens one pass of a language model would read for the printed cost.

    A pass over n tokens costs ``a n + b n^2``: layers and pairs of tokens.
    """
    linear, quadratic = _per_token(row, component)
    printed = row.printed[about] * GIGA
    once, twice = (
        _positive_root(quadratic, linear, printed * FLOPS_PER_MULTIPLY_ADD / flops)
        for flops in (1, FLOPS_PER_MULTIPLY_ADD)
    )
    tokens = row.ledger.components[component]["tokens"]
    visual, total = tokens["visual"], sum(tokens.values())
    kinds = ", ".join(f"{name} {number}" for name, number in tokens.items())
    assumed = (linear * total + quadratic * total**2) / GIGA
    return (
        f"Inference: one pass costs {linear / GIGA:.3f} n + {quadratic / GIGA:.6f} n^2 GFLOPs (2 a "
        f"multiply-add) for n tokens. The printed value is n = {once:.0f} if a multiply-add counts "
        f"once, as it does in the encoders' column, and n = {twice:.0f} if it counts twice; "
        f"{visual} of them are visual, {once - visual:.0f} or {twice - visual:.0f} text. Here "
        f"n = {total} is assumed ({kinds}), which is {assumed:.0f} GFLOPs counted twice: this cell "
        "fits two FLOPs a multiply-add better than one."
    )


@REMARKS.register_module()
def implied_passes(row: CostRow, cell: str, component: str, phrases: int, beside: float) -> str:
    """Say how many passes of a language model the printed cost is.

    Args:
        row: The row.
        cell: Its printed value is taken apart, whether it is met or not.
        component: Language model whose passes are counted.
        phrases: How often it is asked for one image.
        beside: What the other rows print for this cell.
    """
    entry = row.ledger.components[component]
    generated = entry["generated"]
    mean = sum(entry["tokens"].values()) + (generated - 1) // 2
    one_pass = row.ledger.count(component, tokens={"all": mean}, generated=1).multiply_adds / GIGA
    printed = row.printed[cell]
    once, twice = printed / one_pass, printed / one_pass / FLOPS_PER_MULTIPLY_ADD
    return (
        f"{cell}: {printed:g} is printed, {printed / beside:.2f} times the {beside:g} of the other "
        f"rows for the same LLaMA-7B. A pass over {mean} tokens, the middle of an answer, is "
        f"{one_pass:.0f} giga multiply-adds: the printed value is {once:.1f} such passes, or "
        f"{twice:.1f} if a multiply-add counts twice. Inference: the first is near the "
        f"{phrases * generated} of {phrases} phrases with {generated} passes each (without a "
        "key-value cache every token of the answer costs a pass); the second would be an answer of "
        f"{twice:.0f} tokens to one question, or {twice:.0f} phrases with one pass each. That the "
        "assumptions meet the printed value does not show that they are the authors'."
    )


@REMARKS.register_module()
def implied_area(row: CostRow, about: str, component: str) -> str:
    """Say for which image area a convolutional part would cost what is printed."""
    height, width = row.ledger.components[component]["size"]
    here = row.ledger.count(component).multiply_adds
    twice = row.ledger.count(component, size=[2 * height, width]).multiply_adds
    per_pixel = (twice - here) / (height * width)
    fixed = 2 * here - twice
    areas = [
        (row.printed[about] * GIGA / flops - fixed) / per_pixel
        for flops in (1, FLOPS_PER_MULTIPLY_ADD)
    ]
    once, twice = (f"{area / 1e6:.2f} million pixels" for area in areas)
    squares = [f"{math.sqrt(area):.0f} x {math.sqrt(area):.0f}" for area in areas]
    return (
        f"Inference: the cost grows with the image area, {per_pixel / 1e3:.1f} thousand "
        f"multiply-adds a pixel; the size is not stated, {height} x {width} are assumed. What is "
        f"printed fits {once} ({squares[0]}), or {twice} ({squares[1]}; a COCO picture of 640 x "
        "480 has 0.31) if a multiply-add counts twice."
    )


@REMARKS.register_module()
def counted(row: CostRow, text: str, about: str | None = None, **sums: Any) -> str:
    """Fill a sentence with sums of counts.

    Args:
        row: The row.
        text: With ``{NAME:...}`` for each sum, in the printed unit, and ``{NAME_off:...}`` for its
            relative difference to the printed value of ``about``.
        about: Cell that is explained.
        sums: NAME to ``[quantity, parts]``, see ``CostRow.total``.
    """
    values: dict[str, float] = {}
    for name, (quantity, parts) in sums.items():
        values[name] = row.total(parts, quantity)
        if about is not None:
            values[f"{name}_off"] = values[name] / row.printed[about] - 1
    return text.format(**values)


def _per_token(row: CostRow, component: str) -> tuple[float, float]:
    """Return a and b of a language model's ``a n + b n^2`` FLOPs."""
    one, two = (row.ledger.count(component, tokens={"all": n}, generated=1).flops for n in (1, 2))
    quadratic = (two - 2 * one) / 2
    return one - quadratic, quadratic


def _positive_root(quadratic: float, linear: float, total: float) -> float:
    """Solve ``quadratic n^2 + linear n = total``."""
    return (math.sqrt(linear**2 + 4 * quadratic * total) - linear) / (2 * quadratic)
