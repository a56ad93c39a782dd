"""Forms of accounts and roles take their own fields only."""

import pytest

from tests.security.attacks.cases import literals

MASS = literals("massassign")


@pytest.mark.capability(277)
@pytest.mark.parametrize("name", MASS)
def test_a_field_of_the_server_is_refused_with_a_name(browse, world, superuser, name):
    extra = {key: str(value) for key, value in MASS[name].items()}
    kept = "SELECT u::text FROM app_user u ORDER BY id"
    before = superuser.execute(kept).fetchall()
    browser = browse(world.admin)
    for path, form in {
        f"/users/{world.viewer.id}/roles": {"roles": "admin"},
        "/users": {"name": "Ada", "roles": "viewer"},
        "/account/zone": {"zone": "Asia/Tokyo"},
        "/account/tokens": {"label": "x", "days": "1", "scopes": "costs:read"},
        "/account/password": {"old": "x", "password": "x"},
    }.items():
        answer = browser.post(path, extra | form)
        assert answer.status_code == 422, path
    assert "no such field" in answer.text
    assert superuser.execute(kept).fetchall() == before
    assert superuser.execute("SELECT count(*) FROM api_token").fetchone() == (0,)
