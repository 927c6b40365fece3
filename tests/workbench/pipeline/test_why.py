"""Why a target is stale: what is named, with old and new, and what hangs on it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workbench.pipeline.conftest import git
from workbench.errors import BadInput
from workbench.pipeline.why import why
from workbench.planning import plan

ROOT = Path(__file__).parents[3]


def only(answer):
    (cause,) = answer.causes
    return cause


def test_up_to_date_is_said(project):
    answer = why("table@VI")
    assert answer.render() == "table@VI at scale mini: up to date"
    assert (answer.to_dict()["stale"], answer.num_stages) == (False, 3)


def test_a_value_with_old_and_new_and_its_way_to_the_tables(edit):
    edit("params.yaml", "lr: 1e-4", "lr: 2e-5")
    assert why("table@VI").render().splitlines() == [
        "table@VI at scale mini: 2 of 3 stages are stale",
        "params.yaml:train.VI-a.overrides.optimizer.lr 0.0001 -> 2e-05",
        "  makes stale: train@VI-a -> Table VI -> headline",
    ]
    assert why("table@X").causes == ()
    assert only(why()).tables == ["VI"]


def test_values_that_came_and_went(edit):
    edit("params.yaml", "{optimizer: {lr: 1e-4, decay: 0.05}}", "{optimizer: {lr: 1e-4, wd: 1}}")
    titles = [cause.render()[0] for cause in why("train@VI-a").causes]
    assert titles == [
        "params.yaml:train.VI-a.overrides.optimizer.decay removed, 0.05",
        "params.yaml:train.VI-a.overrides.optimizer.wd added, 1",
    ]


def test_files_in_a_folder_of_code_since_the_commit_that_has_what_ran(project, edit):
    edit("code/model/head.py", "queries = 20", "queries = 30")
    git(project, "commit", "-am", "more queries")
    (project / "code/model/neck.py").write_text("x = 1\n" * 9)
    (project / "code/model/__pycache__").mkdir()
    (project / "code/model/__pycache__/head.pyc").write_text("x")
    cause = only(why("table@X"))
    assert cause.stages == ("train@X-a",)
    assert [str(file) for file in cause.since.files] == [
        "code/model/head.py (+1 -1)",
        "code/model/neck.py (+9 -0)",
    ]
    assert cause.since.files[0].lines == ("-queries = 20", "+queries = 30")
    assert cause.render()[0].startswith("code/model: modified since commit ")


def test_one_cause_makes_all_stages_stale_that_it_touches(edit):
    edit("code/prep.txt", "a", "b")
    cause = only(why())
    assert (cause.stages, cause.tables) == (("prep@world",), ["VI", "X"])
    edit("code/model/body.py", "18", "50")
    assert why().causes[1].stages == ("train@VI-a", "train@X-a")


def test_what_ran_with_uncommitted_edits_cannot_be_told(project, edit):
    lock = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["train@X-a"]["deps"]
    edit("dvc.lock", next(d["md5"] for d in lock if d["path"] == "code/model"), "0" * 32 + ".dir")
    cause = only(why("train@X-a"))
    assert cause.since is None
    assert "no commit holds it as it was" in cause.render()[0]


def test_without_git_the_folder_is_named(project, edit):
    edit("code/model/body.py", "18", "50")
    shutil.rmtree(project / ".git")
    config = "[core]\n    analytics = false\n    no_scm = true\n"
    (project / ".dvc/config").write_text(config)
    assert only(why("table@X")).since is None


def test_an_output_of_a_stage_that_ran_since(project, edit):
    """``train@X-a`` is fresh in dvc.lock, the table has not seen its new output."""
    (project / "artifacts/mini/checkpoints/X-a").write_text("new")
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-f", "train@X-a"], check=True)
    cause = only(why("table@X"))
    assert cause.render()[0] == "artifacts/mini/checkpoints/X-a: made anew by train@X-a"


def test_missing_and_changed_outputs(project):
    (project / "artifacts/mini/checkpoints/X-a").unlink()
    cause = only(why("table@X"))
    assert cause.restorable
    assert cause.render()[0] == (
        "output missing: artifacts/mini/checkpoints/X-a (DVC's cache has it: `dvc checkout`)"
    )
    (project / "reports/VI.md").write_text("by hand")
    assert only(why("table@VI")).render()[0] == "output modified: reports/VI.md"
    shutil.rmtree(project / ".dvc/cache")
    gone = [cause.render()[0] for cause in why("train@X-a").causes]
    assert any("not in DVC's cache; `dvc pull` fetches what a remote has" in each for each in gone)
    assert "output not in DVC's cache: artifacts/mini/data/world" in gone


def test_never_run(project, edit):
    edit("params.yaml", "prep: {world: {}}", "prep: {world: {}, moon: {}}")
    cause = only(why("prep"))
    assert cause.render() == ["never run", "  makes stale: prep@moon"]


def test_command(edit):
    edit("dvc.yaml", "cat reports/VI.md reports/X.md", "cat reports/X.md")
    title = only(why("headline")).render()[0]
    assert title.startswith("dvc.yaml: command cat reports/VI.md reports/X.md > reports/headline")


def test_json_has_the_values_themselves(edit):
    edit("params.yaml", "seeds: [0]\n", "seeds: [0, 1]\n")
    content = json.loads(json.dumps(why("headline").to_dict()))
    (cause,) = content["causes"]
    assert (cause["kind"], cause["field"]) == ("parameter", "train.VI-a.seeds")
    assert (cause["old"], cause["new"]) == ([0], [0, 1])
    assert content["stages"] == ["train@VI-a", "table@VI", "headline"]
    assert cause["effects"] == ["table@VI", "headline"]


def test_what_is_made_anew_each_time_is_last_and_never_stale(project):
    with (project / "dvc.yaml").open("a") as stream:
        stream.write("  page:\n    cmd: ls > page\n    always_changed: true\n    outs: [page]\n")
    assert why().causes == ()
    (stage,) = plan().stages
    assert (stage.name, stage.reason) == ("page", "never run; made anew each time")
    (project / "reports/VI.md").unlink()
    made = plan()
    assert [each.name for each in made.stages] == ["table@VI", "headline", "page"]
    assert made.upstream["page"] == ["table@VI", "headline"]


def test_targets(project):
    assert why("train").num_stages == 3
    assert why("reports/VI.md").num_stages == 3
    with pytest.raises(BadInput, match=r"dvc\.yaml: moon: no such target"):
        why("moon")


def test_it_imports_nothing_slow(project):
    code = (
        "import sys\nfrom workbench.cli.main import main\nassert main(['why', 'headline']) == 0\n"
        "slow = {'torch', 'mmengine', 'mmdet', 'mlflow', 'cv2'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
