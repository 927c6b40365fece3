"""The rows of Tables XI and XII as configured: what is counted, what is said."""

from pathlib import Path

import pytest
from mmengine.config import Config

import projects.gella.costs  # noqa: F401
from workbench.costs.ledger import Ledger
from workbench.costs.row import CostRow

CONFIG = Path(__file__).parents[4] / "configs" / "paper" / "gella" / "costs.py"
# As the paper prints them.
PRINTED = {
    "lisa": {"image_encoder_sam_M": 641, "image_encoder_clip_M": 300, "decoder_M": 4},
    "glamm": {"image_encoder_sam_M": 641, "image_encoder_clip_M": 300, "decoder_M": 21},
    "gella": {"image_encoder_clip_M": 300, "mask_encoder_M": 3.5, "decoder_M": 21},
    "lisa-gflops": {"LLM_GFLOPs": 92607, "IME_GFLOPs": 3114, "MMD_GFLOPs": 226,
                    "ALL_GFLOPs": 95947},
    "glamm-gflops": {"LLM_GFLOPs": 11987, "IME_GFLOPs": 3114, "MMD_GFLOPs": 113,
                     "ALL_GFLOPs": 15214},
    "gella-gflops": {"LLM_GFLOPs": 11987, "IME_GFLOPs": 204, "MMD_GFLOPs": 113,
                     "ALL_GFLOPs": 12304},
}  # fmt: skip
ROWS = [("XI", row) for row in ("lisa", "glamm", "gella")]
ROWS += [("XII", row) for row in ("lisa-gflops", "glamm-gflops", "gella-gflops")]


@pytest.fixture(scope="module")
def config() -> dict:
    return Config.fromfile(str(CONFIG), import_custom_modules=False).to_dict()


@pytest.fixture(scope="module")
def make(config):
    ledger = Ledger(config["components"], CONFIG)

    def row(table: str, name: str) -> CostRow:
        entry, metrics = config["rows"][table][name], config["metrics"][table]
        return CostRow(entry, metrics, PRINTED[name], ledger, config["tolerance"])

    return row


def test_every_printed_cell_is_counted(config):
    for table, name in ROWS:
        assert set(config["rows"][table][name]["cells"]) == set(PRINTED[name])


@pytest.mark.slow
@pytest.mark.parametrize(("table", "name"), ROWS)
def test_every_difference_is_explained(make, table, name):
    remarks = make(table, name).remarks()
    assert remarks
    assert not [text for text in remarks if "Not explained" in text or "{" in text]


def test_vision_parts_of_table_xi(make):
    sizes = make("XI", "gella").values
    assert sizes == {
        "image_encoder_clip_M": 303.507456,
        "mask_encoder_M": 2.223872,
        "decoder_M": 19.774146,
    }
    assert make("XI", "lisa").values["decoder_M"] == 4.064816


def test_exact_multiply_adds_of_table_xii(make):
    """To the digit: one pass over 766 tokens, CLIP at 336 px, MobileNetV2 at 800 x 1088."""
    row = make("XII", "gella-gflops")
    counted = {name: quantity["multiply_adds"] for name, quantity in row.counted.items()}
    # LLaMA-7B's matrices and its head with 2 more tokens, and all pairs of tokens, 32 layers.
    per_token = 6_607_077_376 + 2 * 4096
    assert counted["llm"] == 766 * per_token + 32 * 2 * 766 * 766 * 4096
    assert counted["projection"] == 576 * 1024 * 4096
    # CLIP: 24 layers of 577 tokens, width 1024, and the patches of 14 x 14 x 3.
    layer = 577 * 12 * 1024 * 1024 + 2 * 577 * 577 * 1024
    assert counted["clip_336"] == 24 * layer + 576 * 1024 * 14 * 14 * 3
    assert row.values["ALL_GFLOPs"] == sum(counted.values()) / 1e9


def test_ime_shows_that_a_multiply_add_counts_once(make):
    for name in ("gella-gflops", "glamm-gflops", "lisa-gflops"):
        assert make("XII", name).values["IME_GFLOPs"] == pytest.approx(
            PRINTED[name]["IME_GFLOPs"], rel=0.05
        )


def test_lisa_pays_for_every_token_of_every_answer(make):
    counted = make("XII", "lisa-gflops").counted["lisa_llm"]["multiply_adds"]
    per_token = 6_607_077_376 + 3 * 4096
    passes = range(320, 326)
    assert counted == sum(n * per_token + 32 * 2 * n * n * 4096 for n in passes)
