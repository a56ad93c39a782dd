"""The audit page: every change is found, and tampering shows."""

import csv
import io

import pytest
from axe_playwright_python.sync_playwright import Axe

from pilot import settings


@pytest.fixture
def admin(browse, world):
    settings.change("pilot_enabled", True, by=world.admin.actor)
    return browse(world.admin)


def test_records_are_found_by_event_severity_text_and_day(admin, world):
    for query, found in (
        ("event=PILOT_CONFIG_UPDATED", 1),
        ("severity=critical", 0),
        ("q=pilot_enabled", 1),
        ("q=%25", 0),
        ("until=2020-01-01", 0),
    ):
        assert admin.get(f"/audit.json?{query}").json["total"] == found, query
    assert "Ignored filter" in admin.get("/audit?event=ODD&since=never").text


def test_pages_show_each_record_once(admin, world):
    for number in range(30):
        settings.change("pilot_max_steps", 60 + number, by=world.admin.actor)
    url, seen = "/audit.json?size=25", []
    while url:
        twin = admin.get(url).json
        seen += [(one["chain"], one["seq"]) for one in twin["items"]]
        url = twin["next"]
    assert len(seen) == len(set(seen)) > 30


def test_the_page_tells_whole_chains_from_broken_ones(admin, superuser):
    assert "The chains are whole" in admin.get("/audit?verify=1").text
    superuser.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    superuser.execute("UPDATE audit SET record = replace(record, 'true', 'false')")
    page = admin.get("/audit?verify=1").text
    assert "the record was changed" in page


def test_only_administrators_read_it(browse, world):
    assert browse(world.operator).get("/audit").status_code == 403


def test_the_csv_twin_has_the_rows(admin):
    rows = list(csv.DictReader(io.StringIO(admin.get("/audit.csv").text)))
    assert {row["event"] for row in rows} >= {"USER_CREATED", "PILOT_CONFIG_UPDATED"}


@pytest.mark.browser
@pytest.mark.parametrize("look", [(375, "light"), (1280, "dark")])
def test_the_page_is_accessible_and_quiet(admin, window, world, look):
    width, scheme = look
    page = window(world.admin, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto("/audit")
    assert Axe().run(page).violations_count == 0, Axe().run(page).generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []
