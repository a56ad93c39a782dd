from pathlib import Path

import pytest
from flask import Blueprint

from pilot.views import ADMIN, VIEW, route
from pilot.views.ways import safe_path
from tests.written import read

ATTACKS = Path(__file__).parent.parent / "data" / "attacks.yaml"
REDIRECTS = [case["input"] for case in read(ATTACKS)["cases"] if case["category"] == "redirect"]


@pytest.mark.parametrize("hostile", [*REDIRECTS, None, "", "agents", "//evil.test/x", "/a\x00"])
def test_a_way_back_stays_on_this_origin(app, hostile):
    with app.test_request_context():
        assert safe_path(hostile) in {"/", "/sign-in?next=//evil.test"}


@pytest.mark.parametrize("path", ["/", "/agents", "/agents?q=%2F%2Fx&status=failed"])
def test_our_own_paths_lead_back(app, path):
    with app.test_request_context():
        assert safe_path(path) == path


def test_one_view_has_one_permission():
    bp = Blueprint("kit_test", __name__)

    def view():
        return ""

    route(bp, "/a", allow=VIEW)(view)
    with pytest.raises(ValueError, match="two permissions"):
        route(bp, "/b", allow=ADMIN)(view)


@pytest.mark.parametrize(
    "referer", ["http://[", "//[", "http://a]b/", "http://localhost/sign-out", "x"]
)
def test_a_referer_that_is_no_page_of_ours_leads_to_the_overview(browse, referer):
    one = browse()
    answer = one.client.post(
        "/interface/theme",
        data={"theme": "dark", "csrf_token": one.csrf_token()},
        headers={"Referer": referer},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
