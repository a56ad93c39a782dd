"""The shortlist: rare words of names first, clauses, votes of accepted workflows."""

import pytest

from pilot.engine.language import catalogue
from pilot.engine.shortlist import TOP, Past, Shortlist, nearest, tokens


@pytest.fixture(scope="module")
def listed():
    """Give the shortlist of the built-in actions."""
    return Shortlist.of(catalogue.load().actions.values())


def test_words_are_split_at_case_and_signs_and_lose_plural_and_stop_words():
    text = "GetHTTPPages of the user's read_range/tab-names, please"
    assert tokens(text) == ["get", "http", "page", "user", "read", "range", "tab", "name"]


@pytest.mark.parametrize("word", ["gas", "class", "status", "analysis"])
def test_words_that_only_look_like_plurals_stay(word):
    assert tokens(word) == [word]


def test_the_action_that_the_goal_names_comes_first(listed):
    assert listed.top("append rows to a table")[0] == "tables.append_rows"


def test_a_clause_counts_as_much_as_the_goal(listed):
    goal = "read table values, table rows and table columns; in the end fetch the page"
    assert (
        listed.scores(goal, ["fetch the page"])["http.fetch_page"]
        >= (listed.scores("fetch the page")["http.fetch_page"])
    )


def test_accepted_workflows_vote_for_their_actions(listed):
    past = [Past("Tell Bob what is new", frozenset({"mail.send", "gone.action"}))]
    assert listed.top("Tell Bob what is new today", past=past)[0] == "mail.send"
    assert "gone.action" not in listed.top("Tell Bob what is new today", past=past)


def test_the_nearest_goal_is_the_most_similar_one():
    past = [Past("Mail the leads to Ann", frozenset()), Past("Count open tasks", frozenset())]
    found = nearest("Count the open tasks of today", past)
    assert [one.goal for one, _ in found] == ["Count open tasks"]
    assert found[0][1] == pytest.approx(1.0)


def test_sources_of_what_an_action_needs_follow_it(listed):
    needs = {"mail.send": {"http.fetch_page"}}
    plain = listed.top("send a mail", count=20)
    helped = listed.top("send a mail", needs=needs, count=20)
    assert helped.index("http.fetch_page") < plain.index("http.fetch_page")


def test_at_most_twelve_names_are_given():
    names = [f"plugin.action_{number}" for number in range(30)]
    described = catalogue.load().actions["mail.send"]
    actions = [type("Copy", (), {**vars(described), "name": name})() for name in names]
    assert len(Shortlist.of(actions).top("action")) == TOP
