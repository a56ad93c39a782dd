"""Goals that name no table: the planner drafts them over the other actions of the catalogue."""

import pytest


def test_a_goal_over_another_plugin_is_drafted(draft):
    found = draft("Fetch the page https://example.com/news")
    steps = [(one["plugin"], one["action"], one["params"]) for one in found.document["steps"]]
    assert steps == [("http", "fetch_page", {"url": "https://example.com/news"})]


def test_what_it_sends_is_what_it_fetched(draft):
    goal = "Fetch the page https://example.com/news and mail the text to ann@example.com"
    found = draft(goal)
    answers = {one.id: one.default or "" for one in found.questions}
    send = (found.document or draft(goal, answers).document)["steps"][-1]
    assert send["action"] == "send"
    assert send["params"]["to"] == ["ann@example.com"]


@pytest.mark.parametrize("goal", ["Mail it to me.", "Send the list to ann@example.com"])
def test_goals_of_tables_and_mails_still_ask_for_the_table(draft, goal):
    found = draft(goal)
    assert found.document is None
    assert found.questions[0].id in {"table", "reading", "sink"} or found.refusal
