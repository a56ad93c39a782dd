"""What a workflow may use."""

import pytest

from pilot.engine.language import catalogue
from pilot.engine.language.catalogue import Column, TableSample


@pytest.fixture(scope="module")
def loaded():
    return catalogue.load()


def test_every_action_is_there_under_its_full_name(loaded):
    assert {"mail.send", "mail.search", "tables.read_range", "tables.append_rows"} <= set(
        loaded.actions
    )
    assert all(name == action.name for name, action in loaded.actions.items())
    assert list(loaded.actions) == sorted(loaded.actions)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mail.sent", "mail.send"),
        ("Mail.Search", "mail.search"),
        ("tables.apend_row", "tables.append_rows"),
        ("table.readrange", "tables.read_range"),
    ],
)
def test_the_nearest_names_come_first(loaded, name, nearest):
    assert loaded.nearest(name)[0] == nearest
    assert len(loaded.nearest(name, 5)) == 5


def test_an_unknown_name_of_any_length_has_neighbours(loaded):
    assert len(loaded.nearest("")) == 3
    assert len(loaded.nearest("x" * 300)) == 3


def test_without_grants_all_actions_may_be_called(loaded):
    assert loaded.is_granted("mail.send")
    some = loaded.with_grants(["mail.search"])
    assert (some.is_granted("mail.search"), some.is_granted("mail.send")) == (True, False)
    assert some.with_grants(None).is_granted("mail.send")


def test_samples_are_found_by_table_and_tab(loaded):
    one = TableSample("tasks.csv", "tasks", (Column("id", "number"),), 3)
    assert loaded.samples == {}
    assert loaded.with_samples([one]).samples == {("tasks.csv", "tasks"): one}
