"""Every example of docs/predictions.md is scored, and prints what the page says it prints."""

import re
import shlex
from pathlib import Path

import pytest

from workbench.cli.main import main
from workbench.stages.evaluate import FAMILIES, FILE_METRICS

PAGE = (Path(__file__).parents[2] / "docs/predictions.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"`([\w./-]+\.jsonl?)`[^`]*\Z")
COMMANDS = re.findall(r"^\$ (esg .*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page; the name of each stands before it, the last one in the text."""
    root = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for block in BLOCK.finditer(PAGE):
            if block[1] == "json":
                name = FILE_NAME.search(PAGE[: block.start()].rstrip())[1]
                assert not Path(name).exists(), f"{name} is shown twice"
                Path(name).write_text(block[2], encoding="utf-8")
            elif block[1] == "python":
                exec(compile(block[2], "docs/predictions.md", "exec"), {})
    return root


def printed_after(command):
    block = next(
        b[2] for b in BLOCK.finditer(PAGE) if b[1] == "console" and f"$ {command}\n" in b[2]
    )
    return block.split(f"$ {command}\n")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_example(folder, command, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == printed_after(command)


def test_every_family_has_an_example():
    asked = {
        shlex.split(command)[shlex.split(command).index("--metric") + 1] for command in COMMANDS
    }
    named = set(re.findall(r"^\| \[(.*?)\]", PAGE, re.MULTILINE))
    listed = {name for names in named for name in re.findall(r"`(\w+)`", names)}
    assert listed == {*FAMILIES, *FILE_METRICS}
    assert asked >= listed - {"entity_ap"}


def test_sections_that_the_table_names_exist():
    anchors = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert anchors <= {title.lower().replace(" ", "-") for title in titles}
