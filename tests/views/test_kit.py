from pathlib import Path

import pytest
from flask import Blueprint

from pilot.views import ADMIN, VIEW, route, safe_path
from tests.written import read

ATTACKS = Path(__file__).parent.parent / "data" / "attacks.yaml"
REDIRECTS = [case["input"] for case in read(ATTACKS)["cases"] if case["category"] == "redirect"]


@pytest.mark.parametrize("hostile", [*REDIRECTS, None, "", "agents", "//evil.test/x", "/a\x00"])
def test_a_way_back_stays_on_this_origin(hostile):
    assert safe_path(hostile) in {"/", "/sign-in?next=//evil.test"}


@pytest.mark.parametrize("path", ["/", "/agents", "/agents?q=%2F%2Fx&status=failed", "/a/b.json"])
def test_our_own_paths_lead_back(path):
    assert safe_path(path) == path


def test_one_view_has_one_permission():
    bp = Blueprint("kit_test", __name__)

    def view():
        return ""

    route(bp, "/a", allow=VIEW)(view)
    with pytest.raises(ValueError, match="two permissions"):
        route(bp, "/b", allow=ADMIN)(view)
