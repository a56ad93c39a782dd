"""One fallback rate on every page: of the generations that called a model, those with a reason."""

import pytest

from tests.reports.ledger_rows import FAILED, generate

WRONG = {"reason": "schema"} | FAILED
STRONG = {"model_asked": "strong", "model_billed": "strong-9"}
SHOWN = "12.0 % (3 of 25)"


@pytest.fixture
def log(world, superuser):
    """Give 25 generations that called a model; 3 left the primary one, in different ways."""
    me = world.operator.id
    for _ in range(20):
        generate(superuser, me, {})
    fell = {"fallback_reason": "schema"}
    generate(superuser, me, WRONG, STRONG | {"role": "fallback"}, **fell)
    # A worker that takes over begins at the strong model: as a first draft, whatever was before.
    generate(superuser, me, WRONG, STRONG | {"role": "draft"}, **fell)
    lost = STRONG | {"role": "fallback", "state": "lost", "outcome": None, "wasted": True}
    generate(superuser, me, WRONG, lost, STRONG | {"role": "draft"}, **fell)
    # Drafted again in other words: the fallback of the first words counts no more.
    generate(superuser, me, WRONG, STRONG | {"role": "fallback"}, {})
    generate(superuser, me, {})
    # No model, none that has ended, and one of a week ago.
    generate(superuser, me)
    generate(superuser, me, {"state": "reserved", "cost": None, "outcome": None}, stage="running")
    generate(superuser, me, WRONG, STRONG, ago="8 days", **fell)


@pytest.mark.capability(112)
def test_all_pages_count_the_fallback_rate_in_one_way(browse, world, log):
    admin = browse(world.admin)
    assert f"Fallback, last 7 days: {SHOWN}" in admin.get("/system-config/workflow-pilot").text
    for url in ("/costs/generation", "/"):
        assert SHOWN in admin.get(url).text
    told = admin.get("/costs/generation.json").json["fallback_7_days"]
    assert (told["called_a_model"], told["fell_back"], told["rate"]) == (25, 3, 0.12)
    assert "improve the prompt" in told["advice"]


def test_the_tokens_of_a_taken_over_fallback_are_not_those_of_the_primary_model(
    browse, world, superuser
):
    first, second = {"input_tokens": 2_000}, {"input_tokens": 9_000, "role": "draft"}
    for _ in range(20):
        generate(superuser, world.operator.id, WRONG | first, STRONG | second)
    page = browse(world.admin).get("/system-config/workflow-pilot").text
    assert "2,000 tokens sent and 100 answered (measured)" in page
    assert "9,000 tokens sent and 100 answered (measured)" in page
