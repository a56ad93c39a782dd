import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import NewToken
from pilot.web import create_app
from pilot.web.limits import REQUESTS, WRITES
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


def test_who_asks_while_redis_stops_answering_gets_an_answer(world, config):
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, says nothing
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        app = create_app(replace(config, given_redis_url=url))
        browser = Browser(app, world.operator.sign_in())
        token, cookies = browser.csrf_token(), browser.client._cookies

        def ask(_):
            one = Browser(app, "")
            one.client._cookies = cookies
            return write(one, token).status_code

        with ThreadPoolExecutor(6) as at_once:
            assert set(at_once.map(ask, range(6))) == {303}


def test_a_token_may_ask_six_hundred_times_a_minute(app, world):
    new = NewToken("test", ["agents:read"])
    tokens = [api_tokens.create(new, owner_id=world.viewer.id, by=world.viewer.actor) for _ in "ab"]
    client = app.test_client()

    def ask(token):
        headers = {"Authorization": f"Bearer {token.token}"}
        return client.get("/api/v1/agents?limit=0", headers=headers).status_code

    first = [ask(tokens[0]) for _ in range(int(REQUESTS.split()[0]))]
    assert 429 not in first
    assert ask(tokens[0]) == 429
    assert ask(tokens[1]) != 429
