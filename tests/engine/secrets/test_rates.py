"""How often connections and addresses are called: rates and breakers that all workers share."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from pilot import db, vault
from pilot.engine import outages
from pilot.engine.acting import resting
from pilot.engine.providers.breaker import Answer, Breaker
from pilot.engine.secrets import connections, rates
from pilot.engine.secrets.connections import Given
from pilot.errors import ErrorClass, InvalidError, PluginError, StepError
from pilot.reports import execution as report
from tests.engine import worker_process as wp
from tests.http_peer import serving
from tests.mail_peer import PASSWORD, USER

SEND = {"id": "mail", "type": "action", "plugin": "mail", "action": "send", "connection": "Sales"}
PARAMS = {"to": ["bob@x.test"], "subject": "Hi {{item}}", "text": "Hello"}


@pytest.fixture(autouse=True)
def _sealing(world):
    vault.configure([Fernet.generate_key().decode()])
    yield
    vault.configure([])


@pytest.fixture
def limited(world):
    """Give a function that stores a connection with a rate."""

    def store(rate, port=2525, **more):
        fields = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        fields |= {"user": USER, "sender": "sales@peer.test"}
        who = {"by": world.operator.actor, "owner_id": world.operator.id}
        made = connections.create("mail", Given("Sales", fields, PASSWORD, **more), **who)
        rates.change(made, rate, **who)
        return made

    return store


@pytest.fixture
def base(world, database, redis_url, tmp_path):
    wp.switch_on()
    return wp.config(database, redis_url, tmp_path)


def opened(owner):
    return connections.opened(owner.id, "mail", "Sales")


@pytest.mark.capability(263)
def test_in_any_minute_there_are_never_more_calls_than_its_rate(limited, world, clock, superuser):
    """Many that ask at any time, come for their turn late, or never: by a seed."""
    limited(5)
    held, chance = opened(world.operator), random.Random(263)
    now, went, line = 0.0, [], []
    for _ in range(120):
        line += [(now, str(uuid4())) for _ in range(chance.choice([0, 0, 1, 4]))]
        due = [one for one in line if one[0] <= now]
        for one in due:
            line.remove(one)
            seconds = rates.wait_s(held, one[1])
            if seconds == 0:
                went.append(now)
            elif chance.random() < 0.9:
                line.append((now + seconds + chance.choice([0.1, 1, 30]), one[1]))
        step = chance.choice([0.5, 3, 20])
        now += step
        clock(step)
    within = [sum(begin <= at < begin + 60 for at in went) for begin in went]
    assert max(within) == 5
    assert len(went) > now / 60 * 2, "nor are there many fewer"


@pytest.mark.capability(263)
def test_many_workers_at_once_share_a_rate(limited, world, clock):
    limited(7)
    held, stranger = opened(world.operator), world.stranger
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: rates.wait_s(held, str(uuid4())), range(30)))
    assert waits.count(0) == 7
    assert sorted(waits)[7:] == [62.0] * 7 + [124.0] * 7 + [186.0] * 7 + [248.0] * 2
    foreign = replace(held, owner_id=stranger.id)
    assert rates.wait_s(foreign, str(uuid4())) == 0, "who may not use it takes no turn of it"


def test_a_turn_is_kept_by_the_key_of_its_call(limited, world, clock):
    limited(1)
    held, first, second = opened(world.operator), str(uuid4()), str(uuid4())
    assert rates.wait_s(held, first) == 0
    assert rates.wait_s(held, second) == 62
    clock(10)
    assert rates.wait_s(held, second) == 52
    assert rates.wait_s(held, str(uuid4())) == 114
    clock(52)
    assert rates.wait_s(held, second) == 0
    assert rates.wait_s(held, first) > 60, "the same call a second time is another one"


@pytest.mark.parametrize("typed", ["0", "6,001", "-3", "1.5", "many", "٣", "0000060001", "1,5"])
def test_a_rate_is_a_whole_number_within_bounds(typed):
    with pytest.raises(InvalidError, match=r"whole number from 1 to 6,000"):
        rates.read(typed)
    assert (rates.read(" 6,000 "), rates.read(""), rates.read("None")) == (6000, None, None)


@pytest.mark.capability(263)
def test_steps_over_a_full_connection_wait_and_spend_no_attempt(
    limited, world, smtp_peer, base, database, superuser
):
    connection = limited(2, smtp_peer.port)
    facts = replace(base, egress_allow=(smtp_peer.allow,))
    each = {"id": "each", "type": "loop", "items": [1, 2, 3, 4]}
    body = SEND | {"params": PARAMS, "retry": {"max_attempts": 1}}
    agent = wp.make_agent(world.operator.id, [each | {"steps": [body]}])
    with wp.working(facts):
        execution = wp.start(agent, world.operator.id)
        wp.wait_for(database, execution, {"waiting"})
        with db.reading(world.operator.id) as session:
            assert "its turn on Sales, at " in report.shown(session, execution).why
        assert len(smtp_peer.mails) == 2
        superuser.execute("UPDATE connection_turn SET at = at - interval '63 s'")
        superuser.execute("UPDATE wait SET wake_at = pilot_now()")
        wp.until(lambda: len(smtp_peer.mails) == 3)
        rates.change(connection, None, by=world.operator.actor, owner_id=world.operator.id)
        wp.wait_for(database, execution, {"completed"})
    subjects = [one.message["Subject"] for one in smtp_peer.mails]
    assert subjects == ["Hi 1", "Hi 2", "Hi 3", "Hi 4"]


@pytest.mark.capability(263)
def test_an_address_that_keeps_failing_rests_for_its_owner_until_one_call_tries(
    world, base, database, superuser
):
    with serving() as peer:
        place = f"127.0.0.1:{peer.server_address[1]}"
        facts = replace(base, egress_allow=(place,))
        call = {"id": "call", "type": "action", "plugin": "http", "action": "request"}
        call |= {"params": {"url": f"http://{place}/status", "query": {"code": "{{inputs.code}}"}}}
        call |= {"retry": {"max_attempts": 5, "base_s": 0, "factor": 1}}
        schema = {"type": "object", "additionalProperties": True}
        agents = [
            wp.make_agent(one.id, [call], inputs=schema) for one in (world.operator, world.admin)
        ]
        with wp.working(facts, hears=True):
            failed = wp.start(agents[0], world.operator.id, code=500)
            assert wp.wait_for(database, failed)[0] == "failed"
            assert len(peer.seen) == 5
            waits = [wp.start(agents[0], world.operator.id, code=200) for _ in range(3)]
            for one in waits:
                wp.wait_for(database, one, {"waiting"})
            assert len(peer.seen) == 5, "nobody called it"
            other = wp.start(agents[1], world.admin.id, code=200)
            assert wp.wait_for(database, other)[0] == "completed"
            superuser.execute("UPDATE model_state SET open_until = pilot_now()")
            superuser.execute("UPDATE wait SET wake_at = pilot_now()")
            assert {wp.wait_for(database, one)[0] for one in waits} == {"completed"}
        assert len(peer.seen) == 9


@pytest.mark.capability(263)
def test_calls_that_are_not_made_take_no_turn_and_end_no_rest(limited, world, clock):
    """Many steps wait for a connection that rests: its rate is there for the calls that go."""
    connection = limited(3)
    held, name = opened(world.operator), resting.of_connection(str(connection))
    for _ in range(5):
        Breaker().tell(name, failed=True)
    made = []

    def call(error=None):
        with resting.minded(held, str(uuid4()), {}):
            made.append(error)
            if error is not None:
                raise error

    for _ in range(9):
        with pytest.raises(PluginError, match="rests for 30 s"):
            call()
    clock(30)
    wrong = PluginError(ErrorClass.INPUT, "no such parameter", sent=False)
    broken = ZeroDivisionError("the plugin's own fault")
    for error in (wrong, broken):
        with pytest.raises(type(error), match=str(error)):
            call(error)
        assert Breaker().asked(name) is Answer.PROBE, "nobody has called it yet"
        Breaker().give_back(name)
    call()
    assert made == [wrong, broken, None]
    assert Breaker().asked(name) is Answer.YES


def test_while_the_database_is_away_nothing_leaves_and_no_attempt_is_spent(limited, world):
    """What a call asks the database first waits; what it notes afterwards is given up."""
    limited(1)
    held = opened(world.operator)
    db.engine().dispose()
    db.configure("postgresql://pilot@127.0.0.1:1/pilot_test_gone")
    made = []
    with (
        pytest.raises(StepError, match="did not answer") as caught,
        resting.minded(held, str(uuid4()), {}),
    ):
        made.append("a call")
    assert (made, caught.value.sent, caught.value.hold.kind) == ([], False, "retry")
    with outages.survived():
        connections.used(held)
