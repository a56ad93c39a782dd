from dataclasses import replace

import pytest

from pilot.web import create_app
from pilot.web.limits import WRITES
from tests.pages import Browser

MOST = int(WRITES.split()[0])


@pytest.fixture(params=["redis", "without redis"])
def limited(request, world, config, redis_url, tmp_path):
    """Give the application with the session's Redis, then with none that answers."""
    gone = f"unix://{tmp_path}/gone.sock"
    return create_app(
        replace(config, given_redis_url=redis_url if request.param == "redis" else gone)
    )


def write(browser, token):
    return browser.client.post("/interface/theme", data={"csrf_token": token, "theme": "dark"})


def test_who_writes_too_often_waits_and_others_do_not(limited, world):
    busy = Browser(limited, world.operator.sign_in())
    token = busy.csrf_token()
    assert {write(busy, token).status_code for _ in range(MOST)} == {303}
    refused = write(busy, token)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "Wait a moment" in refused.text
    assert busy.get("/account").status_code == 200
    other = Browser(limited, world.viewer.sign_in())
    assert write(other, other.csrf_token()).status_code == 303
