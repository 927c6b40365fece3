"""``esg segment`` from photographs to files, with the model that splits dark from bright."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from workbench.cli.main import main

WriteCheckpoint = Callable[..., Path]
COLOURS = np.zeros((8, 12, 3), dtype=np.uint8)
COLOURS[:, 4:] = 255


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(folder / "plain.png")
    Image.fromarray(COLOURS).save(folder / "turned.png", exif=exif)
    Image.fromarray(COLOURS[..., 0]).save(folder / "grey.jpg", quality=100)
    (folder / "notes.txt").write_text("not a photograph")
    return folder


def test_a_folder_of_photographs(
    photos: Path,
    tmp_path: Path,
    write_checkpoint: WriteCheckpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = write_checkpoint(tmp_path / "w.pth")
    arguments = ["segment", str(photos), "--checkpoint", str(checkpoint)]
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out), "--score-threshold", "0.2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["score"] == "single_sigmoid"
    assert [photo["entities"] for photo in found["photos"]] == [2, 2, 2]
    assert len(list(out.iterdir())) == 9
    labels = cv2.imread(str(out / "turned_labels.png"), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (12, 8)
    assert (labels[:4] == 2).all()
    assert (labels[4:] == 1).all()
    record = json.loads((out / "turned.json").read_text())
    assert (record["height"], record["width"]) == (12, 8)


def test_the_threshold_leaves_entities_out(
    photos: Path,
    tmp_path: Path,
    write_checkpoint: WriteCheckpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = write_checkpoint(tmp_path / "w.pth")
    arguments = ["segment", str(photos / "plain.png"), "--checkpoint", str(checkpoint)]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--score-threshold", "0.5"]) == 0
    assert "1 entities (1 below the threshold)" in capsys.readouterr().out
    labels = cv2.imread(str(tmp_path / "out/plain_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels[:, :4] == 0).all()


def test_one_bad_photograph_among_good_ones(
    photos: Path,
    tmp_path: Path,
    write_checkpoint: WriteCheckpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (photos / "broken.jpg").write_bytes((photos / "grey.jpg").read_bytes()[:300])
    checkpoint = write_checkpoint(tmp_path / "w.pth")
    arguments = ["segment", str(photos), str(tmp_path / "absent.jpg")]
    out = tmp_path / "out"
    assert main([*arguments, "--checkpoint", str(checkpoint), "--out", str(out)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert "broken.jpg" in errors[0]
    assert "absent.jpg" in errors[1]
    assert len(list(out.iterdir())) == 9


def test_what_stops_before_the_first_photograph(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    monkeypatch.chdir(tmp_path)
    photo = str(photos / "plain.png")
    assert main(["segment", photo]) == 4
    assert "dvc repro train@cropformer" in capsys.readouterr().err
    assert main(["segment", photo, "--checkpoint", "none.pth"]) == 4
    with pytest.raises(SystemExit, match="2"):
        main(["segment", photo, "--score-threshold", "2"])
    assert main(["segment", photo, "--out", str(photos / "notes.txt")]) == 2
    assert main(["segment", str(tmp_path / "empty")]) == 4
    (tmp_path / "empty").mkdir()
    assert main(["segment", str(tmp_path / "empty")]) == 2
    assert not (tmp_path / "entities").exists()


def test_a_checkpoint_of_code_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evil.pth").write_bytes(b"cos\nsystem\n(S'exit'\ntR.")
    arguments = ["segment", str(photos), "--checkpoint", str(tmp_path / "evil.pth")]
    assert main(arguments) == 2
    assert "evil.pth" in capsys.readouterr().err
