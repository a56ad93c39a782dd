from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from flask import Blueprint

from pilot.views import ADMIN, VIEW, plain, route, safe_path

ATTACKS = Path(__file__).parent.parent / "data" / "attacks.yaml"
REDIRECTS = [
    case["input"]
    for case in yaml.safe_load(ATTACKS.read_text())["cases"]
    if case["category"] == "redirect"
]


@pytest.mark.parametrize("hostile", [*REDIRECTS, None, "", "agents", "//evil.test/x", "/a\x00"])
def test_a_way_back_stays_on_this_origin(hostile):
    assert safe_path(hostile) in {"/", "/sign-in?next=//evil.test"}


@pytest.mark.parametrize("path", ["/", "/agents", "/agents?q=%2F%2Fx&status=failed", "/a/b.json"])
def test_our_own_paths_lead_back(path):
    assert safe_path(path) == path


@dataclass
class Row:
    id: UUID
    at: datetime
    cost: Decimal | None


def test_answers_hold_utc_times_exact_money_and_texts():
    at = datetime(2026, 3, 14, 15, 5, tzinfo=timezone(timedelta(hours=1)))
    row = Row(UUID(int=1), at, Decimal("0.000420000000"))
    assert plain({"rows": (row,), "day": date(2026, 3, 14), 1: None}) == {
        "rows": [
            {
                "id": "00000000-0000-0000-0000-000000000001",
                "at": "2026-03-14T14:05:00Z",
                "cost": {"amount": "0.000420000000", "currency": "USD"},
            }
        ],
        "day": "2026-03-14",
        "1": None,
    }
    assert plain(at.astimezone(UTC)) == "2026-03-14T14:05:00Z"


def test_one_view_has_one_permission():
    bp = Blueprint("kit_test", __name__)

    def view():
        return ""

    route(bp, "/a", allow=VIEW)(view)
    with pytest.raises(ValueError, match="two permissions"):
        route(bp, "/b", allow=ADMIN)(view)
