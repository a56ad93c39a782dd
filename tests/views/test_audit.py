"""The audit page: every change is found, and tampering shows."""

import csv
import io
import json

import pytest

from pilot import settings
from pilot.reports import audit
from tests.pages import LOOKS, check_accessible


@pytest.fixture
def admin(browse, world):
    settings.change("pilot_enabled", True, by=world.admin.actor)
    return browse(world.admin)


@pytest.mark.capability(225, 299)
def test_records_are_found_by_event_severity_text_and_day(admin, world):
    for query, found in (
        ("event=PILOT_CONFIG_UPDATED", 1),
        ("severity=critical", 0),
        ("q=pilot_enabled", 1),
        ("q=%25", 0),
        ("until=2020-01-01", 0),
        ("actor=ADMIN%40pilot.test", 2),
        ("actor=system", 5),
        ("actor=nobody", 0),
        ("object=pilot_enabled", 1),
        (f"object={world.viewer.id}", 1),
    ):
        assert admin.get(f"/audit.json?{query}").json["total"] == found, query
    assert "Ignored filter" in admin.get("/audit?event=ODD&since=never").text


def test_texts_are_searched_from_a_day_that_the_page_tells(admin, superuser):
    superuser.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    superuser.execute("UPDATE audit SET at = at - interval '40 days'")
    for search in ("q=pilot_enabled", "actor=system"):
        found = admin.get(f"/audit.json?{search}").json
        page = admin.get(f"/audit?{search}").text
        assert found["total"] == 0
        assert f"Searched from {found['since']} on" in page
        assert f'value="{found["since"]}"' not in page  # the form shows what the URL says
        assert admin.get(f"/audit.jsonl?{search}").text == ""
        wider = admin.get(f"/audit?{search}&since=2020-01-01").text
        assert "Searched from" not in wider
        assert admin.get(f"/audit.json?{search}&since=2020-01-01").json["total"] > 0
    assert admin.get("/audit.json").json["total"] > 0


@pytest.mark.parametrize(
    ("search", "few"), [("", 1), ("&q=PILOT_max_steps", 1_000), ("&q=pilot_", 1)]
)
def test_pages_show_each_record_once(admin, world, monkeypatch, search, few):
    monkeypatch.setattr(audit, "FEW", few)
    for number in range(30):
        settings.change("pilot_max_steps", 60 + number, by=world.admin.actor)
    url, seen = f"/audit.json?size=25{search}", []
    while url:
        twin = admin.get(url).json
        assert twin["total"] >= 30
        seen += [(one["chain"], one["seq"]) for one in twin["items"]]
        url = twin["next"]
    assert len(seen) == len(set(seen)) == twin["total"]


@pytest.mark.capability(259, 299)
def test_the_page_tells_whole_chains_from_broken_ones(admin, superuser):
    assert "The chains are whole" in admin.get("/audit?verify=1").text
    superuser.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    superuser.execute("UPDATE audit SET record = replace(record, 'true', 'false')")
    page = admin.get("/audit?verify=1").text
    assert "the record was changed" in page


@pytest.mark.capability(299)
def test_all_that_match_are_exported_as_lines_with_their_links(admin):
    answer = admin.get("/audit.jsonl?event=USER_CREATED")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[1]["prev"] == lines[0]["hash"]
    assert json.loads(lines[0]["record"])["event"] == "USER_CREATED"


def test_only_administrators_read_it(browse, world):
    assert browse(world.operator).get("/audit").status_code == 403


def test_the_csv_twin_has_all_rows_not_one_page(admin, world):
    for number in range(60):
        settings.change("pilot_max_steps", 60 + number, by=world.admin.actor)
    rows = list(csv.DictReader(io.StringIO(admin.get("/audit.csv").text)))
    assert {row["event"] for row in rows} >= {"USER_CREATED", "PILOT_CONFIG_UPDATED"}
    assert len(rows) > 60


@pytest.mark.browser
@pytest.mark.parametrize("look", LOOKS)
def test_the_page_is_accessible_and_quiet(admin, window, world, look):
    width, scheme = look
    page = window(world.admin, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/audit?verify=1")
    page.locator("summary", has_text="detail").first.click()
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []


def test_days_begin_in_the_zone_of_the_reader(admin, superuser):
    admin.post("/account/zone", {"zone": "Asia/Kolkata"})
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE audit SET at = '2026-03-01 20:00+00'")
    assert "From (Asia/Kolkata day)" in admin.get("/audit").text
    days = "since=2026-03-02&until=2026-03-02"
    assert admin.get(f"/audit.json?{days}").json["total"] > 0
    assert admin.get(f"/audit.json?{days}&zone=UTC").json["total"] == 0
    assert admin.get(f"/audit.jsonl?{days}&zone=UTC").text == ""
