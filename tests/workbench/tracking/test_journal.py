from __future__ import annotations

import json
from pathlib import Path

from workbench.tracking.journal import RUN_FILE, Delivered, Journal, delivered_run, journals


def journal_with(folder: Path, *records: dict[str, object]) -> Journal:
    journal = Journal.of_folder(folder)
    assert journal.claim()
    for record in records:
        journal.append(record)
    return journal


def test_records_are_read_from_where_delivery_stopped(tmp_path: Path) -> None:
    journal = journal_with(tmp_path, {"open": {}}, {"step": 1}, {"step": 2})
    assert journal.delivered == Delivered() and journal.pending() == 3
    (first, _), (second, behind) = journal.read(limit=2)
    assert (first, second) == ({"open": {}}, {"step": 1})
    journal.save(Delivered("sqlite:///a", "run", behind))
    assert [record for record, _ in journal.read(journal.delivered.offset)] == [{"step": 2}]
    assert Journal(journal.path).pending() == 1


def test_record_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    journal = journal_with(tmp_path, {"step": 1})
    with journal.path.open("a") as stream:
        stream.write('{"step": 2, "metr')
    assert journal.pending() == 1
    journal.release()
    again = journal_with(tmp_path, {"step": 3})
    assert list(again.records()) == [{"step": 1}, {"step": 3}]


def test_first_record_cut_off_by_a_kill_leaves_nothing_begun(tmp_path: Path) -> None:
    journal = Journal.of_folder(tmp_path)
    journal.path.write_text('{"open": {')
    assert journal.claim() and not journal.is_begun()
    journal.append({"open": {}})
    assert journal.is_begun()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = journal_with(tmp_path, {"step": 1})
    other = Journal(journal.path)
    assert not other.claim()
    journal.release()
    assert other.claim()


def test_folder_keeps_its_run_until_it_is_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "work_dirs" / "abc"
    first = journal_with(folder, {"step": 1})
    assert Journal.of_folder(folder).id == first.id
    (folder / RUN_FILE).unlink()
    second = journal_with(folder, {"step": 1})
    assert second.id != first.id
    assert {journal.id for journal in journals(tmp_path)} == {first.id, second.id}


def test_journal_of_a_sweep_is_found(tmp_path: Path) -> None:
    sweep = journal_with(tmp_path / "work_dirs" / "sweeps" / "abc", {"step": 1})
    assert [journal.id for journal in journals(tmp_path)] == [sweep.id]


def test_run_of_a_checkpoint_is_known_once_delivered(tmp_path: Path) -> None:
    folder = tmp_path / "work_dirs" / "abc"
    journal = journal_with(folder, {"tags": {"esg.checkpoint_sha256": "c" * 64}})
    assert delivered_run(tmp_path, "c" * 64) is None
    journal.save(Delivered("sqlite:///a", "run", 10))
    assert delivered_run(tmp_path, "c" * 64) == "run"
    assert delivered_run(tmp_path, "d" * 64) is None


def test_unreadable_state_means_nothing_was_delivered(tmp_path: Path) -> None:
    journal = journal_with(tmp_path, {"step": 1})
    journal.path.with_suffix(".json").write_text(json.dumps({"unknown": 1}))
    assert journal.delivered == Delivered()
