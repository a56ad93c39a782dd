"""A change of a table happens once, whatever is killed, and can be asked about."""

import subprocess
import sys
import threading
import time

import pytest

from pilot import plugins
from pilot.errors import ErrorClass, PluginError
from pilot.plugins.tables import writing

TASKS = "id,name,due\n1,Ann,03/12/2026\n2,Bob,25/11/2026\n"
AFTER = TASKS + "3,Cem,\n"
APPEND = {"table": "tasks", "rows": [{"id": "3", "name": "Cem"}], "key_column": "id"}
DONE = {"appended": 1, "skipped": 0, "first_row": 4}
KILLED = """
import os, pathlib, signal, sys, time
from pilot.plugins.tables import writing
real = pathlib.Path.rename
def die(self, target):
    if sys.argv[2] == "after":
        real(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.rename = die
edit = lambda content: (content + b"3,Cem,\\n", {"appended": 1, "skipped": 0, "first_row": 4})
writing.change(pathlib.Path(sys.argv[1]), "key-1", time.monotonic() + 9, edit)
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "tables").mkdir()
    found = tmp_path / "tables/tasks.csv"
    found.write_text(TASKS)
    return found


@pytest.fixture
def asked(make_call):
    def ask(name, params, key="key-1"):
        action = plugins.load("tables").actions[name]
        return plugins.was_applied(action, params, make_call(key))

    return ask


def kill(table, moment):
    killed = subprocess.run([sys.executable, "-c", KILLED, table, moment], check=False)
    assert killed.returncode == -9


def test_a_change_never_made_is_known_not_to_be(asked, table):
    assert asked("append_rows", APPEND) is None


def test_the_probe_gives_the_output_of_a_change_that_was_made(act, asked, table):
    assert act("tables.append_rows", APPEND) == DONE
    assert asked("append_rows", APPEND) == DONE
    assert asked("append_rows", APPEND, "key-2") is None


def test_performing_again_with_the_same_key_returns_the_first_output(act, table):
    params = {"table": "tasks", "rows": [{"id": "3", "name": "Cem"}]}
    assert [act("tables.append_rows", params) for _ in range(3)] == [DONE] * 3
    assert table.read_text() == AFTER


def test_killed_before_the_rename_is_surely_not_applied(act, asked, table):
    kill(table, "before")
    assert table.read_text() == TASKS
    assert asked("append_rows", APPEND) is None
    assert act("tables.append_rows", APPEND) == DONE
    assert table.read_text() == AFTER


def test_killed_before_the_rename_stays_surely_not_applied_when_others_write(act, asked, table):
    kill(table, "before")
    params = {"table": "tasks", "match": {"id": "1"}, "set": {"name": "Eve"}}
    act("tables.update_rows", params, "key-2")
    assert asked("append_rows", APPEND) is None
    assert act("tables.append_rows", APPEND) == DONE
    assert table.read_text() == AFTER.replace("Ann", "Eve")
    assert asked("update_rows", params, "key-2") == {"updated": 1}


def test_killed_after_the_rename_is_applied(act, asked, table):
    kill(table, "after")
    assert table.read_text() == AFTER
    assert asked("append_rows", APPEND) == DONE
    assert act("tables.append_rows", APPEND) == DONE
    assert table.read_text() == AFTER


def test_later_changes_tell_that_an_earlier_one_was_made(act, asked, table):
    act("tables.append_rows", APPEND)
    for number in range(4, 7):
        params = {"table": "tasks", "match": {"id": "1"}, "set": {"name": f"A{number}"}}
        act("tables.update_rows", params, f"key-{number}")
    assert asked("append_rows", APPEND) == DONE


def test_a_change_of_values_can_be_asked_about_too(act, asked, table):
    params = {"table": "tasks", "match": {"id": "1"}, "set": {"name": "Eve"}}
    assert asked("update_rows", params) is None
    act("tables.update_rows", params)
    assert asked("update_rows", params) == {"updated": 1}


def test_nothing_was_applied_where_there_is_no_folder(tmp_path):
    assert writing.applied(tmp_path / "none/tasks.csv", "key-1", 0) is None


def test_a_file_changed_from_outside_leaves_the_question_open(act, asked, table):
    act("tables.append_rows", APPEND)
    table.write_text(AFTER + "4,Dan,\n")
    with pytest.raises(PluginError, match="nobody can tell"):
        asked("append_rows", APPEND)


def test_a_change_that_changes_nothing_counts_as_made(act, asked, table):
    params = APPEND | {"rows": [{"id": "1"}]}
    output = act("tables.append_rows", params)
    assert output == {"appended": 0, "skipped": 1, "first_row": None}
    assert asked("append_rows", params) == output


def test_a_journal_line_cut_short_is_ignored_and_the_next_is_whole(act, asked, table):
    journal = table.with_name(".tasks.csv.journal")
    journal.write_text('{"key": "key-1", "before": "x", "aft')
    assert asked("append_rows", APPEND) is None
    act("tables.append_rows", APPEND)
    assert asked("append_rows", APPEND) == DONE


def test_a_long_journal_keeps_its_newer_half(act, asked, table, monkeypatch):
    monkeypatch.setattr(writing, "MAX_JOURNAL_BYTES", 3_000)
    for number in range(40):
        rows = [{"id": str(number + 10)}]
        act("tables.append_rows", {"table": "tasks", "rows": rows}, f"key-{number}")
    assert table.with_name(".tasks.csv.journal").stat().st_size < 4_000
    newest = {"table": "tasks", "rows": [{"id": "49"}]}
    assert asked("append_rows", newest, "key-39")["first_row"] == 43


@pytest.mark.capability(153)
def test_fifty_threads_each_add_their_row_once(act, table):
    def add(number):
        params = {"table": "tasks", "rows": [{"id": str(number)}]}
        for _ in range(2):
            act("tables.append_rows", params, f"key-{number}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [line.split(",")[0] for line in table.read_text().splitlines()[3:]]
    assert sorted(ids) == [str(number) for number in range(100, 150)]


def test_readers_never_see_half_a_change(act, table):
    stop, lengths = threading.Event(), set()

    def read():
        while not stop.is_set():
            lengths.add(act("tables.read_range", {"table": "tasks"})["rows"] % 100)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(5):
        rows = [{"id": str(number * 1000 + one)} for one in range(100)]
        act("tables.append_rows", {"table": "tasks", "rows": rows}, f"key-{number}")
    stop.set()
    reader.join()
    assert lengths == {3}


def test_a_table_in_use_until_the_deadline_is_a_timeout(act, table):
    with writing._locked(table, time.monotonic()), pytest.raises(PluginError) as caught:
        act("tables.append_rows", APPEND, seconds=0.1)
    assert (caught.value.error_class, caught.value.sent) == (ErrorClass.TIMEOUT, False)
    assert table.read_text() == TASKS


def test_a_change_that_fails_writes_nothing(act, table):
    with pytest.raises(PluginError):
        act("tables.append_rows", {"table": "tasks", "rows": [{"nope": 1}]})
    assert table.read_text() == TASKS
    assert not table.with_name(".tasks.csv.journal").exists()
