"""What Prometheus scrapes: by token only, in its format, equal to SQL, without owners' data."""

import re
from collections import defaultdict
from decimal import Decimal

import pytest

from pilot.config import Config
from pilot.errors import ConfigError
from tests.engine import worker_process as wp
from tests.pages import KEY
from tests.reports.ledger_rows import FAILED, UNPRICED, book

TOKEN = "a token that is long enough"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([0-9.]+)')
STEPS = [{"id": "hidden", "type": "transform", "operation": "set", "config": {"value": 1}}]


@pytest.fixture
def config(tmp_path):
    values = {"PILOT_SECRET_KEYS": KEY, "PILOT_DATA": str(tmp_path), "PILOT_METRICS_TOKEN": TOKEN}
    return Config.from_env(values)


@pytest.fixture
def scrape(browse):
    def scrape(authorization=f"Bearer {TOKEN}"):
        return browse().get("/metrics", headers={"Authorization": authorization})

    return scrape


@pytest.fixture
def samples(scrape):
    """Give `samples()`: {name: {labels: value}}, read strictly."""

    def samples():
        found, declared = defaultdict(dict), {}
        for line in scrape().text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.removeprefix("# TYPE ").split()
                assert name not in declared
                declared[name] = kind
            elif not line.startswith("# HELP "):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                family = re.sub("_(bucket|sum|count)$", "", name)
                assert name in declared or declared[family] == "histogram"
                assert labels not in found[name]
                found[name][labels] = Decimal(value)
        return found

    return samples


@pytest.fixture
def seeded(world, superuser):
    """Give rows of two owners: executions, steps, calls, workers, messages, breakers."""
    wp.switch_on()
    for owner in (world.operator.id, world.stranger.id):
        agent = wp.make_agent(owner, STEPS)
        started = [wp.start(agent, owner) for _ in range(3)]
        superuser.execute(
            "UPDATE execution SET status = 'completed', inputs = '{\"who\": \"topsecret\"}'"
            " WHERE id = %s",
            [started[0]],
        )
        superuser.execute(
            "INSERT INTO step_execution (execution_id, path, attempt, owner_id, type, status,"
            " fence, started_at, duration_ms) SELECT %s, 'hidden', n, %s, 'transform', 'failed', 1,"
            " pilot_now(), ms FROM unnest(ARRAY[1, 5, 6, 70000, 400000, NULL]) WITH ORDINALITY"
            " AS x(ms, n)",
            [started[0], owner],
        )
        book(superuser, owner, latency_ms=120)
        book(superuser, owner, latency_ms=900, **FAILED)
        book(superuser, owner, latency_ms=20, **UNPRICED)
        book(superuser, owner, state="reserved", outcome=None)
        superuser.execute(
            "INSERT INTO outbox (owner_id, kind, key, payload, due_at)"
            " VALUES (%s, 'x', 'k', '{}', pilot_now() - interval '90 s')",
            [owner],
        )
    superuser.execute(
        "INSERT INTO worker (host, pid, version, lease_until, draining) VALUES"
        " ('h', 1, '1', pilot_now() + interval '9 s', false),"
        " ('h', 2, '1', pilot_now() - interval '9 s', false)"
    )
    superuser.execute(
        "UPDATE execution SET wake_at = pilot_now() - interval '60 s' WHERE id = %s", [started[1]]
    )
    superuser.execute(
        "INSERT INTO model_state (model_id, failed_at, open_until) VALUES"
        " ('cheap', '{}', pilot_now() + interval '9 s')",
    )


@pytest.mark.capability(231)
def test_numbers_equal_what_sql_counts(samples, seeded, superuser):
    found = samples()
    for status, count in superuser.execute(
        "SELECT status, count(*) FROM execution GROUP BY status"
    ):
        assert found["pilot_executions"][f'status="{status}"'] == count
    assert sum(found["pilot_executions"].values()) == 6
    assert found["pilot_queue_depth"] == {'queue="executions"': 4, 'queue="goals"': 0}
    assert 60 <= found["pilot_queue_oldest_seconds"]['queue="executions"'] < 70
    assert found["pilot_workers"] == {'state="dead"': 1, 'state="draining"': 0, 'state="live"': 1}
    assert found["pilot_outbox_messages"]['state="due"'] == 2
    assert 90 <= found["pilot_outbox_lag_seconds"][None] < 100
    assert found["pilot_breaker_open"] == {'model="cheap"': 1}
    assert found["pilot_calls_under_way"] == {None: 2}


@pytest.mark.capability(231)
def test_tokens_and_money_equal_the_ledger(samples, seeded, superuser):
    found = samples()
    tokens, cost, unpriced, calls = superuser.execute(
        "SELECT sum(input_tokens + output_tokens), sum(cost), count(*) - count(cost), count(*)"
        " FROM call WHERE state <> 'reserved'"
    ).fetchone()
    assert sum(found["pilot_tokens_total"].values()) == tokens
    assert sum(found["pilot_cost_usd_total"].values()) == cost
    assert sum(found["pilot_unpriced_calls_total"].values()) == unpriced == 2
    assert sum(found["pilot_calls_total"].values()) == calls == 6
    failed = 'provider="openai",model="cheap",role="step",outcome="failed"'
    assert found["pilot_calls_total"][failed] == 2


@pytest.mark.capability(231)
def test_durations_fall_into_buckets_up_to_their_bound(samples, seeded):
    found = samples()
    steps = found["pilot_step_duration_seconds_bucket"]
    counts = [steps[f'type="transform",le="{le}"'] for le in ("0.005", "0.01", "60", "300", "+Inf")]
    assert counts == [4, 6, 6, 8, 10]
    assert found["pilot_step_duration_seconds_count"] == {'type="transform"': 10}
    assert found["pilot_step_duration_seconds_sum"] == {'type="transform"': Decimal("940.024")}
    assert found["pilot_step_attempts"] == {'type="transform",status="failed"': 12}
    calls = found["pilot_call_duration_seconds_bucket"]
    assert calls['provider="openai",model="cheap",le="0.25"'] == 2


def test_nothing_of_an_owner_is_told(scrape, seeded, superuser):
    answer = scrape().text
    names = superuser.execute(
        "SELECT id::text FROM app_user UNION SELECT email FROM app_user UNION"
        " SELECT id::text FROM agent UNION SELECT name FROM agent"
        " UNION SELECT id::text FROM execution"
    ).fetchall()
    assert len(names) > 10
    assert [name for (name,) in names if name in answer] == []
    assert "topsecret" not in answer
    assert "hidden" not in answer


def test_an_empty_installation_is_scraped_too(samples, world):
    found = samples()
    assert set(found["pilot_executions"].values()) == {0}
    assert found["pilot_outbox_lag_seconds"] == {None: 0}


def test_the_answer_has_the_format_that_it_names(scrape, world):
    answer = scrape()
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.startswith(
        "# HELP pilot_executions Executions by status.\n# TYPE pilot_executions gauge\n"
        'pilot_executions{status="budget_paused"} 0\n'
    )
    assert answer.text.endswith("\n")


@pytest.mark.parametrize(
    "header", ["", TOKEN, "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"]
)
def test_another_token_is_refused(scrape, world, header):
    answer = scrape(header)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert "pilot_" not in answer.text


def test_a_strange_name_of_a_model_breaks_no_line(samples, world, superuser):
    name = 'own "model"\\\nwith a line'
    book(superuser, world.operator.id, model_asked=name)
    escaped = 'own \\"model\\"\\\\\\nwith a line'
    assert samples()["pilot_cost_usd_total"] == {
        f'provider="openai",model="{escaped}"': Decimal("0.001")
    }


def test_an_administrator_without_the_token_is_refused(browse, world):
    assert browse(world.admin).get("/metrics").status_code == 401


@pytest.mark.parametrize("token", ["short", "ü" * 20, "a line\nand another one"])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(token):
    with pytest.raises(ConfigError, match="PILOT_METRICS_TOKEN"):
        Config.from_env({"PILOT_METRICS_TOKEN": token})


class TestWithoutAToken:
    """An installation that named none."""

    @pytest.fixture
    def config(self, tmp_path):
        return Config.from_env({"PILOT_SECRET_KEYS": KEY, "PILOT_DATA": str(tmp_path)})

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer None", f"Bearer {TOKEN}"])
    def test_there_are_no_metrics(self, scrape, world, header):
        assert scrape(header).status_code == 404
