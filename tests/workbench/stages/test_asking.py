"""The stages `refer` and `label` around a job that is replaced: what they pass on and write."""

import json

import pytest
import yaml

from tests.workbench.stages.test_evaluate import write_json
from workbench.errors import BadInput, EsgError, MissingInput
from workbench.files import sha256_file
from workbench.stages import asking
from workbench.stages.label import label
from workbench.stages.refer import refer

ITEM = {
    "checkpoint": "model",
    "project": "gella",
    "dataset": "world",
    "split": "val",
    "masks": "data/world/manifest.json",
    "mode": "generated",
    "threshold": 0.5,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout in which a model with two seeds is trained; jobs write what they are asked."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path)
    write_json(tmp_path / "artifacts/mini/data/world/manifest.json", {})
    folder, runs = tmp_path / "artifacts/mini/checkpoints/model", []
    for seed in (0, 1):
        write_json(folder / f"seed-{seed}.pth", seed)
        digest = sha256_file(folder / f"seed-{seed}.pth")
        runs.append({"seed": seed, "checkpoint_sha256": digest})
    write_json(folder / "train.json", {"runs": runs})
    jobs = []

    def run_job(module, job):
        jobs.append((module, job))
        journal = tmp_path / f"work_dirs/{len(jobs)}.jsonl"
        write_json(journal, [])
        with open(job.output, "w") as stream:
            stream.write("{}")
        return {"num_asked": 3, "journal": str(journal)}

    monkeypatch.setattr(asking, "run_job", run_job)
    return tmp_path, jobs


def save(root, **changes):
    item = {name: value for name, value in (ITEM | changes).items() if value is not None}
    labelled = {**item, "mode": "panoptic"}
    params = {"scale": "mini", "refer": {"k": item}, "label": {"k": labelled}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_file_a_seed_and_a_record(project):
    root, jobs = project
    folder = root / refer("k")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["refer.json", "seed-0.json", "seed-1.json"]
    record = json.loads((folder / "refer.json").read_text())
    assert (record["mode"], record["threshold"], record["masks"]) == (
        "generated", 0.5, "data/world/manifest.json",
    )  # fmt: skip
    assert record["runs"] == [{"seed": 0, "num_asked": 3}, {"seed": 1, "num_asked": 3}]
    assert {module for module, _ in jobs} == {"workbench.grounding.refer"}
    assert jobs[0][1].entities is None
    assert list((root / "work_dirs").iterdir()) == []


def test_label_gives_a_name_to_complete(project):
    root, jobs = project
    assert label("k").as_posix() == "artifacts/mini/labels/k"
    assert jobs[0][1].output.endswith("/seed-0") and jobs[0][0] == "workbench.grounding.label"


def test_a_failed_seed_leaves_what_was_there_and_unfinished_work(project, monkeypatch):
    root, _ = project
    refer("k")
    write = asking.run_job

    def fail_second(module, job):
        if job.title == "k seed 1":
            raise EsgError("killed")
        return write(module, job)

    monkeypatch.setattr(asking, "run_job", fail_second)
    with pytest.raises(EsgError, match="killed"):
        refer("k")
    assert sorted(path.name for path in (root / "artifacts/mini/referrings").iterdir()) == ["k"]
    assert (root / "artifacts/mini/referrings/k/seed-1.json").is_file()
    assert len(list((root / "work_dirs").iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"mode": "best"}, "use one of: generated, whole"),
        ({"split": None}, "refer.k.split: missing"),
        ({"threshold": 1.5}, "give 0 to 1"),
        ({"threshold": True}, "give 0 to 1"),
        ({"masks": "groundings/x"}, "the annotated masks"),
    ],
)
def test_bad_instances(project, change, problem):
    save(project[0], **change)
    with pytest.raises(BadInput, match=problem):
        refer("k")


def test_missing_inputs_name_the_stage(project):
    save(project[0], masks="entities/none")
    with pytest.raises(MissingInput, match="segment@none"):
        refer("k")
    save(project[0], dataset="other", masks="data/other/manifest.json")
    with pytest.raises(MissingInput, match="prep@other"):
        label("k")
