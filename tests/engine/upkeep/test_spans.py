"""Spans at a local collector: as many as SQL counts, without contents, never in the way."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from pilot import strictjson
from pilot.config import Config
from pilot.engine.upkeep import spans
from pilot.engine.upkeep.spans import Collector
from pilot.engine.worker import chores
from tests.engine import worker_process as wp
from tests.http_peer import serving

ASK = {"id": "ask", "type": "ai_processing", "prompt": "canary-prompt", "input": "inputs.mail"}
NAMES = """
SELECT 'execution', count(*)::int FROM execution
UNION ALL SELECT 'model call', count(*)::int FROM call
UNION ALL SELECT 'step ' || type, count(*)::int FROM step_execution GROUP BY type
"""


@pytest.fixture
def ended(world, database, redis_url, tmp_path, superuser):
    """Run two executions, one of which fails, and let them have ended a minute ago."""
    wp.switch_on()
    script = tmp_path / "answers.json"
    script.write_text(strictjson.dumps({"rules": [{"answer": "canary-answer"}]}))
    facts = replace(wp.config(database, redis_url, tmp_path), script=script)
    with wp.working(facts, hears=True):
        steps = [ASK, wp.put("then", "canary-output", dependencies=["ask"])]
        wp.run(database, world.operator, steps, {"mail": "canary-input"})
        wp.run(database, world.stranger, [wp.broken("bad")])
    superuser.execute("UPDATE execution SET finished_at = finished_at - interval '1 minute'")
    superuser.execute("UPDATE span_place SET at = at - interval '1 hour'")


def collector(peer, path="", **headers):
    place = f"127.0.0.1:{peer.server_address[1]}"
    return Collector(f"http://{place}{path}", place, headers)


def told(peer):
    """Return the spans that a collector was sent."""
    bodies = [json.loads(body) for _, path, _, body in peer.seen if path == "/v1/traces"]
    return [span for body in bodies for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]


@pytest.mark.capability(231)
@pytest.mark.parametrize("at_once", [2_000, 2])
def test_there_are_as_many_spans_as_rows_and_they_tell_no_contents(
    ended, superuser, monkeypatch, at_once
):
    monkeypatch.setattr(spans, "MOST_SPANS", at_once)
    with serving() as peer:
        collector(peer, **{"x-key": "secret"}).look()
        collector(peer).look()
        found = told(peer)
        _, _, headers, body = peer.seen[0]
    assert len(peer.seen) == (1 if at_once > 2 else 3)
    assert Counter(one["name"] for one in found) == dict(superuser.execute(NAMES).fetchall())
    assert {name.lower(): value for name, value in headers.items()}["x-key"] == "secret"
    assert b"canary" not in body
    assert len({(one["traceId"], one["spanId"]) for one in found}) == len(found)
    known = {one["spanId"] for one in found}
    assert all(one.get("parentSpanId") in {*known, None} for one in found)
    assert sum("parentSpanId" not in one for one in found) == 2
    assert {one["status"]["code"] for one in found} == {1, 2}
    assert all(int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"]) for one in found)


@pytest.mark.capability(231)
def test_a_collector_that_fails_or_is_away_gets_them_later(ended, superuser):
    with serving() as peer:
        assert collector(peer, "/status?code=503&at=").look() is False
        away = collector(peer)
        assert replace(away, url="http://127.0.0.1:9", allow="127.0.0.1:9").look() is False
        assert told(peer) == []
        superuser.execute("UPDATE span_place SET held_until = pilot_now() + interval '1 minute'")
        away.look()
        assert told(peer) == [], "another worker is at it"
        superuser.execute("UPDATE span_place SET held_until = pilot_now()")
        away.look()
        assert len([one for one in told(peer) if one["name"] == "execution"]) == 2


def test_nobody_is_told_without_a_collector(tmp_path):
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    for environment, expected in (({}, 0), (named, 1)):
        config = Config.from_env({"PILOT_DATA": str(tmp_path)} | environment)
        assert [one.name for one in chores.chores(config)].count("spans") == expected
