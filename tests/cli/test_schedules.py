"""`pilot agent schedule`, `trigger` and `webhook` in this process."""

import pytest
from cryptography.fernet import Fernet

from pilot import strictjson, vault
from pilot.engine.triggers import triggers
from tests.engine import worker_process as wp
from tests.scheduling import STEP, minutes


@pytest.mark.capability(201)
def test_a_schedule_is_made_changed_switched_and_deleted(shell, world, timed_agent, set_clock):
    def run(*arguments):
        code, out, err = shell(
            "--json", "--as", world.operator.email, "agent", "schedule", *arguments
        )
        return code, strictjson.loads(out or err)

    agent = str(timed_agent)
    code, made = run("create", agent, "--cron", "0 8 * * 1-5", "--zone", "Europe/Berlin")
    assert (code, made["next_times"][0]) == (0, "2026-11-23T08:00:00+01:00")
    code, changed = run("change", made["id"], "--every", "7200", "--overlap", "queue")
    assert (code, changed["in_words"], changed["overlap"]) == (0, "every 2 hours", "queue")
    assert run("off", made["id"])[0] == 0
    (row,) = run("list", agent)[1]
    assert (row["active"], row["next_times"]) == (False, [])
    assert run("on", made["id"])[0] == 0
    assert run("delete", made["id"])[0] == 0
    assert run("list", agent)[1] == []
    code, refused = run("create", agent, "--cron", "0 8 31 2 *")
    assert code == 5
    assert "no day 31 in February" in str(refused)


def test_the_list_is_told_in_words(shell, world, timed_agent, schedule):
    schedule(cron="0 8 * * 1-5", zone="Europe/Berlin")
    code, out, _ = shell(
        "--as", world.operator.email, "agent", "schedule", "list", str(timed_agent)
    )
    assert code == 0
    assert "every weekday at 08:00 Europe/Berlin" in out
    assert "1 schedules" in out


def test_one_past_its_end_is_told_to_be_over(shell, world, timed_agent, schedule, set_clock):
    schedule(ends_at=minutes(2)[0])
    set_clock(minutes(3)[0])
    who = ("--as", world.operator.email)
    _, out, _ = shell(*who, "agent", "schedule", "list", str(timed_agent))
    assert triggers.OVER in out


@pytest.mark.capability(203)
def test_an_agent_follows_an_event_of_another(shell, world, timed_agent):
    follower = wp.make_agent(world.operator.id, [STEP])

    def run(*arguments):
        code, out, _ = shell("--as", world.operator.email, "agent", "trigger", *arguments)
        return code, out

    wanted = ("--of", str(timed_agent), "--status", "failed", "--match", "payload.mode == 'run'")
    code, out = run("create", str(follower), *wanted)
    assert (code, out.split("  ")[1].strip()) == (0, "after an execution of Test: failed")
    made = out.split()[0]
    code, out = run("change", made, "--status", "cancelled", "--match", "")
    assert (code, out.split("  ")[1].strip()) == (0, "after an execution of Test: cancelled")
    code, out = run("change", made, "--event", "approval_decided")
    assert "after a decision about an execution of Test" in out
    assert "cancelled" not in out
    assert run("off", made)[0] == 0
    assert "(switched off)" in run("list", str(follower))[1]
    assert run("delete", made)[0] == 0
    assert "0 triggers" in run("list", str(follower))[1]


@pytest.mark.capability(202)
def test_a_webhook_is_made_rotated_switched_and_deleted(shell, world, timed_agent, monkeypatch):
    monkeypatch.setenv("PILOT_SECRET_KEYS", Fernet.generate_key().decode())
    agent = str(timed_agent)

    def run(*arguments):
        who = ("--json", "--as", world.operator.email)
        code, out, err = shell(*who, "agent", "webhook", *arguments)
        return code, strictjson.loads(out or err)

    code, made = run("create", agent, "--bearer", "--match", "payload.kind == 'paid'")
    assert (code, made["proof"], made["secret"][:6]) == (0, "bearer", "whsec_")
    (kept,) = run("list", agent)[1]
    assert "secret" not in kept
    assert (kept["url"], kept["match"]) == (made["url"], "payload.kind == 'paid'")
    code, newer = run("rotate", agent, made["id"])
    assert (code, newer["version"], newer["secret"] != made["secret"]) == (0, 2, True)
    assert run("off", agent, made["id"])[0] == 0
    assert run("list", agent)[1][0]["active"] is False
    assert run("deliveries", agent)[1] == []
    assert run("delete", agent, made["id"])[0] == 0
    assert run("list", agent)[1] == []
    assert run("create", agent, "--inputs", "[1]")[0] == 5
    vault.configure([])
