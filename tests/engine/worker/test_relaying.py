"""How workers send what the outbox holds: side by side, once each, and to an end when they stop."""

import threading
from dataclasses import replace

import pytest

from pilot.engine.notices import channels
from tests.engine import worker_process as wp
from tests.engine.notices.relaying import ASK
from tests.engine.notices.test_channels import peer, states  # noqa: F401  the fixture


@pytest.fixture
def facts(database, redis_url, tmp_path, peer):  # noqa: F811
    wp.switch_on()
    base = wp.config(database, redis_url, tmp_path)
    return replace(base, egress_allow=[peer.url.removeprefix("http://")])


def came(peer, path):  # noqa: F811
    return len([one for one in peer.seen if one[1] == path])


@pytest.mark.capability(25)
def test_channels_that_hang_delay_no_other_and_nothing_goes_twice(facts, peer, world, superuser):  # noqa: F811
    channels.put("slack", f"{peer.url}/held", "", by=world.admin.actor)
    agent = wp.make_agent(world.operator.id, [ASK])
    with wp.working(facts), wp.working(facts):
        for _ in range(9):
            wp.start(agent, world.operator.id)
        wp.until(lambda: came(peer, "/teams") == came(peer, "/webhook") == 9)
        assert 0 < came(peer, "/held") <= 4
        peer.let_go.set()
        wp.until(lambda: [sent for _, sent, _ in states(superuser)] == [True] * 27)
    assert [came(peer, f"/{one}") for one in ("held", "teams", "webhook")] == [9, 9, 9]


@pytest.mark.capability(25)
def test_a_worker_that_stops_waits_for_what_it_sends(facts, peer, world, superuser):  # noqa: F811
    channels.put("slack", f"{peer.url}/held", "", by=world.admin.actor)
    with wp.working(facts):
        wp.start(wp.make_agent(world.operator.id, [ASK]), world.operator.id)
        wp.until(lambda: came(peer, "/held"))
        threading.Timer(0.5, peer.let_go.set).start()
    assert states(superuser)[0] == ("slack", True, None)
