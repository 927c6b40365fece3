"""Curves and pictures, and what is said where they cannot be drawn."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.workbench.narrated import write_world
from workbench.page.collect import collect
from workbench.page.curves import HEIGHT, LEFT, WIDTH, loss_chart
from workbench.page.figures import PICTURED, draw_figures
from workbench.page.panels import Made, entity_sheet, grounding_sheet
from workbench.paths import Layout
from workbench.segmentation.label_map import encode_label_map
from workbench.segmentation.overlay import entity_colours


def lengths(chart):
    return [len(line.points.split()) for line in chart.lines]


def positions(line):
    return [tuple(map(float, point.split(","))) for point in line.points.split()]


def test_curves_of_a_row_share_a_colour(report):
    table = report.tables[0]
    runs = [run["run_id"] for _, run in table.runs]
    assert len(runs) == 4
    chart = loss_chart(table, {run: [(10, 8.0), (20, 4.0), (30, 2.0)] for run in runs})
    assert [line.colour for line in chart.lines] == [0, 0, 0, 1]
    assert chart.legend == {"Base": 0, "Better | best": 1}
    assert lengths(chart) == [3, 3, 3, 3]


def test_a_falling_loss_goes_down_inside_the_chart(report):
    table = report.tables[0]
    curve = [(step, 100 / step) for step in range(10, 1010, 10)]
    (line,) = loss_chart(table, {table.runs[0][1]["run_id"]: curve}).lines
    across, down = zip(*positions(line), strict=True)
    assert list(across) == sorted(across) and list(down) == sorted(down)
    assert across[0] >= LEFT and across[-1] <= WIDTH and down[0] >= 0 and down[-1] <= HEIGHT


def test_ticks_are_round_numbers(report):
    table = report.tables[0]
    curve = [(10, 30.0), *((step, 3.0) for step in range(20, 900, 10)), (900, 3.0)]
    chart = loss_chart(table, {table.runs[0][1]["run_id"]: curve})
    assert [tick.text for tick in chart.across] == ["0", "200", "400", "600", "800"]
    assert [tick.text for tick in chart.up] == ["5", "10"]


def test_no_curve_no_chart(report):
    table = report.tables[0]
    assert loss_chart(table, {}) is None
    assert loss_chart(table, {table.runs[0][1]["run_id"]: [(10, 1.0)]}) is None
    assert "training curves" in draw_figures(report, {"evaluate": {}}, {}).lacking[0]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Two pictures with narratives, entities and groundings of them, and their layout."""
    monkeypatch.chdir(tmp_path)
    layout = Layout("smoke")
    write_world(layout.manifest("world").parent)
    half = np.repeat([[1] * 4 + [2] * 4], 4, axis=0).astype(np.uint8)
    masks = encode_label_map(half, 2)
    scores = (0.9, 0.2)
    entities = [
        {
            "image_id": i,
            "entities": [
                {"segmentation": m, "score": s} for m, s in zip(masks, scores, strict=True)
            ],
        }
        for i in (1, 2)
    ]
    write_lines(layout.entities("model") / "seed-0.jsonl", entities)
    words = {"text": "cat", "start": 2, "end": 5, "entity_ids": [10, 11]}
    groundings = [
        {"image_id": 1, "narrative": 0, "phrases": [words]},
        {"image_id": 2, "narrative": 1, "phrases": [{**words, "start": None, "entity_ids": [22]}]},
    ]
    write_lines(layout.groundings("model") / "seed-0.jsonl", groundings)
    write_lines(layout.groundings("model") / "seed-0.entities.jsonl", entities)
    return layout


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def pixels(picture):
    """Return (H, W, 3) RGB of a picture in the page."""
    kind, data = picture.source.split(",", 1)
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_entities_that_a_model_is_sure_of_are_tinted(world):
    made = [Made("Model", world.entities("model") / "seed-0.jsonl")]
    sheet = entity_sheet(world, "world", "val", made)
    assert sheet.columns == ("photograph", "annotated", "Model")
    assert len(sheet.rows) == 2
    photo, _, drawn = (pixels(picture) for picture in sheet.rows[0])
    change = np.abs(photo - drawn).sum(-1)
    assert change[:, 6:].mean() < 20 < change[:, :3].mean()  # WebP keeps neighbours only roughly
    assert sheet.rows[0][2].says == "Model: entities of 1.jpg"


def test_nouns_have_the_colour_of_their_masks(world):
    made = [Made("Model", world.groundings("model") / "seed-0.jsonl")]
    sheet = grounding_sheet(world, "world", "val", made)
    assert sheet.columns == ("photograph", "entities", "colormap", "Model")
    red, green, blue = entity_colours(1)[1, ::-1]
    noun = ("cat", f"#{red:02x}{green:02x}{blue:02x}")
    assert sheet.captions[0] == (("A ", None), noun, (" beside a cat on the grass", None))
    # A noun that does not stand in the caption colours nothing in it.
    assert sheet.captions[1] == (("Two cats under the sky", None),)


def test_masks_of_a_model_are_numbered_as_given(world):
    grounded = world.groundings("model") / "seed-0.jsonl"
    records = [json.loads(line) for line in grounded.read_text().splitlines()]
    for record in records:
        record["phrases"][0]["entity_ids"] = [1]
    grounded.write_text("".join(json.dumps(record) + "\n" for record in records))
    made = [Made("Model", grounded, world.entities("model") / "seed-0.jsonl")]
    *_, drawn = grounding_sheet(world, "world", "val", made).rows[0]
    colour = np.ptp(pixels(drawn), axis=-1)  # none where the photograph is grey
    assert colour[:, 6:].mean() < 20 < colour[:, :3].mean()


def test_pictures_follow_params(project, world, monkeypatch):
    report = collect(project, "mini")
    monkeypatch.setitem(PICTURED, "I", ("entities", entity_sheet))
    item = {"table": "I", "row": "base", "predictions": "entities/model", "dataset": "world"}
    params = {"evaluate": {"I__base": {**item, "split": "val"}}}
    (project / "artifacts/smoke").rename(project / "artifacts/mini")
    figures = draw_figures(report, params, {})
    assert figures.sheets["I"].columns[-1] == "Base"
    assert not [reason for reason in figures.lacking if "pictures" in reason]


def test_what_cannot_be_drawn_is_said(project, monkeypatch):
    report = collect(project, "mini")
    monkeypatch.setitem(PICTURED, "I", ("entities", entity_sheet))
    reason = draw_figures(report, {"evaluate": {}}, {}).lacking[-1]
    assert reason == "pictures of Table I: no artifacts here; dvc repro table@I or dvc pull"
    item = {"table": "I", "row": "base", "predictions": "entities/model", "dataset": "world"}
    (project / "artifacts/mini/entities/model").mkdir(parents=True)
    (project / "artifacts/mini/entities/model/seed-0.jsonl").write_text("")
    params = {"evaluate": {"I__base": {**item, "split": "val"}}}
    assert "manifest.json" in draw_figures(report, params, {}).lacking[-1]
