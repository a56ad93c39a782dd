"""`pilot agent schedule` in this process."""

import pytest

from pilot import strictjson


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
