"""Runs trials side by side: each line of JSON on stdin is a batch, each trial a line on stdout.

One process imports everything and forks the slots; they fork the workers.
"""

import gc
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Pipe, wait
from pathlib import Path

from pilot import cli, db, garbage, logs, plugins, strictjson
from pilot.cli.commands import worker
from pilot.egress import client
from pilot.engine.generation import asking
from pilot.engine.language import catalogue, schema_dialect
from pilot.engine.people import passwords
from pilot.engine.running import spreading
from pilot.services import processes
from tests import compiled
from tests.crash import judge, presses, spending, trials
from tests.crash.slot import MissedError, Place, Slot
from tests.model import real

REST_AFTER_S = 0.5
TRIES = 3  # of a trial that tells nothing, as the machine stood still
WARMED = (worker, passwords, asking, schema_dialect)
KINDS = trials.KINDS | presses.KINDS | spending.KINDS | real.KINDS


def main():
    warm()
    spreading.BATCH_ITEMS = 8  # a wide scatter need not be long
    places = strictjson.loads(sys.stdin.readline())
    slots = [open_slot(Place(**place), number) for number, place in enumerate(places)]
    for slot in slots:
        say(slot.recv())
    for line in sys.stdin:
        conduct(slots, strictjson.loads(line))
    for slot in slots:
        slot.send(None)
    for slot in slots:
        slot.recv()


def warm():
    """Do what takes a worker long once, before the forks: they begin with it."""
    plugins.__path__.append(str(Path(__file__).with_name("plugins")))
    catalogue.load()
    logs.configure()
    client._tls()  # reads all certificates
    db.create_engine = compiled.once(db.create_engine)
    parser = cli._parser(["worker"])
    cli._parser = lambda _: parser
    gc.collect()
    garbage.seldom()  # else each fork copies all memory at its first look for garbage


def conduct(slots, batch):
    """Give each slot its next trial as soon as it is free."""
    todo, free, busy = list(reversed(batch)), list(slots), []
    while todo or busy:
        while todo and free:
            free[-1].send(todo.pop())
            busy.append(free.pop())
        for slot in wait(busy):
            say(slot.recv())
            busy.remove(slot)
            free.append(slot)


def open_slot(place, number):
    """Fork a slot; gives this end of its pipe."""
    here, there = Pipe()
    prepare = processes._die_with_parent(signal.SIGKILL)
    if os.fork():
        there.close()
        return here
    try:
        prepare()
        here.close()
        serve(place, number, there)
    except Exception:  # noqa: BLE001 -- shown, whatever it is
        traceback.print_exc()
    finally:
        os._exit(1)


def serve(place, number, orders):
    """Run the trials of one slot."""
    slot = Slot(place, number)
    slot.controls = judge.Controls(slot)
    orders.send({"ready": number})
    while (asked := _next(slot, orders)) is not None:
        begun = time.monotonic()
        found = tried(slot, asked)
        seconds = round(time.monotonic() - begun, 2)
        orders.send({"n": asked["n"], "faults": found, "seconds": seconds})
    slot.close()
    orders.send(None)


def tried(slot, asked):
    """Return the faults of a trial; one that told nothing runs again."""
    for _ in range(TRIES):
        try:
            return KINDS[asked["kind"]](slot, dict(asked))
        except MissedError as missed:
            found = [f"it told nothing {TRIES} times: {missed}"]
        except Exception:  # noqa: BLE001 -- a fault of this trial only
            found = [traceback.format_exc(), str(rows(slot))]
            slot.tidy()
            break
        slot.tidy()
    return found


def _next(slot, orders):
    """Return the next order; the worker that goes on ends if there is none for a while."""
    if orders.poll(REST_AFTER_S):
        return orders.recv()
    slot.rest()
    asked = orders.recv()
    if asked is not None:
        slot.survive()
    return asked


def rows(slot):
    """Return what is not at its end, for a person who has to find out why."""
    return slot.ask(
        "SELECT e.id, e.agent_name, e.status, e.status_reason, e.worker_id, e.error::text, "
        "(SELECT json_agg(json_build_array(s.path, s.attempt, s.status))::text "
        "FROM step_execution s WHERE s.execution_id = e.id) FROM execution e "
        "WHERE e.finished_at IS NULL"
    )


def say(facts):
    sys.stdout.write(strictjson.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
