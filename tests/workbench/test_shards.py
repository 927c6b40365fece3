from __future__ import annotations

import pytest

from tests.workbench.in_ranks import in_ranks
from workbench.shards import Shard, in_turns


def test_items_go_round(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Shard().of("abcde")) == list("abcde")
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "1")
    assert list(Shard().of("abcde")) == ["b", "e"]


@pytest.mark.parametrize("each", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("length", range(8))
def test_parts_in_turns_are_the_whole(length: int, count: int, each: int) -> None:
    whole = list(range(length))
    items = [whole[at : at + each] for at in range(0, length, each)]
    parts = [[entry for item in items[rank::count] for entry in item] for rank in range(count)]
    assert list(in_turns(parts, each)) == whole


def test_lines_are_joined_in_order(tmp_path) -> None:
    output = tmp_path / "all.txt"

    def work(rank: int) -> list[int]:
        shard = Shard()
        lines = [f"{number}\n" for number in shard.of(range(5))]
        shard.part(output).write_text("".join(lines))
        gathered = shard.gather(rank)
        if shard.first:
            shard.join(output)
        return gathered

    assert in_ranks(work) == [[0, 1], []]
    assert output.read_text() == "0\n1\n2\n3\n4\n"
    assert [path.name for path in tmp_path.iterdir()] == ["all.txt"]
