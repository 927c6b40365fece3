"""Cells of a row from components, and what is said of differences."""

from pathlib import Path

import pytest
import torch
from torch import nn

from workbench.costs.count import Component
from workbench.costs.ledger import COMPONENTS, Ledger
from workbench.costs.row import CostRow
from workbench.errors import BadInput

SOURCE = Path("costs.py")
METRICS = {"size_M": "parameters", "cost_G": "multiply_adds", "twice_G": "multiply_adds", "s": None}
built = []


@pytest.fixture(autouse=True)
def toy():
    """Register a linear layer without bias on `tokens` tokens, for the length of a test."""

    def linear(width: int, tokens: int = 1) -> Component:
        built.append(width)
        layer = nn.Linear(width, width, bias=False)
        return Component(layer, lambda: layer(torch.empty(tokens, width)))

    built.clear()
    COMPONENTS.register_module(name="toy", module=linear)
    yield
    COMPONENTS.module_dict.pop("toy")


def make(cells, printed=None, remarks=(), metrics=METRICS):
    ledger = Ledger({"small": {"type": "toy", "width": 1000}}, SOURCE)
    entry = {"cells": cells, "remarks": list(remarks)}
    return CostRow(entry, metrics, printed or {}, ledger, 0.05)


def test_cells_are_in_millions_and_billions():
    row = make({"size_M": ["small"], "cost_G": [["small", 2000]]})
    assert row.values == {"size_M": 1.0, "cost_G": 2.0}
    assert row.value("s") is None
    assert row.counted == {"small": {"parameters": 10**6, "multiply_adds": 10**6}}
    assert built == [1000]


def test_a_sum_of_cells_and_a_changed_component():
    changed = {"component": "small", "tokens": 500, "times": 2}
    row = make({"cost_G": [changed], "twice_G": ["cost_G", "cost_G"]})
    assert row.values == {"cost_G": 1.0, "twice_G": 2.0}
    assert row.counted == {}  # only components as the config has them are listed


def test_only_a_cell_apart_is_explained():
    remarks = [
        {"type": "statement", "text": "Always."},
        {"type": "statement", "text": "Because.", "about": "size_M"},
        {"type": "statement", "text": "Never said.", "about": "cost_G"},
    ]
    row = make(
        {"size_M": ["small"], "cost_G": [["small", 1000]]},
        {"size_M": 2.0, "cost_G": 1.04},
        remarks,
    )
    assert row.remarks() == ["Always.", "size_M: 1 counted, 2 printed (-50.0%). Because."]


def test_a_difference_without_explanation_says_so():
    row = make({"size_M": ["small"]}, {"size_M": 0.9})
    assert row.remarks() == ["size_M: 1 counted, 0.9 printed (+11.1%). Not explained."]


def test_a_cell_that_the_paper_does_not_print_needs_no_explanation():
    assert make({"size_M": ["small"]}).remarks() == []


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ({"size_M": ["tall"]}, "components.tall"),
        ({"s": ["small"]}, "cells.s"),
        ({"other": ["small"]}, "cells.other"),
    ],
)
def test_faults_are_named(cells, names):
    with pytest.raises(BadInput, match=names):
        make(cells)


def test_unknown_types_are_named():
    with pytest.raises(BadInput, match=r"components.small.type.*'none'"):
        Ledger({"small": {"type": "none"}}, SOURCE).count("small")
    remarks = [{"type": "poem"}]
    with pytest.raises(BadInput, match=r"remarks\[0\].type.*statement"):
        make({"size_M": ["small"]}, remarks=remarks).remarks()
