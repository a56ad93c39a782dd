"""Runs trials side by side: reads what to do as JSON, prints one line of JSON per trial.

One process imports everything and forks the slots; they fork the workers.
"""

import os
import sys
import time
import traceback
from pathlib import Path

from pilot import logs, plugins, strictjson
from pilot.cli.commands import worker
from pilot.engine import catalogue, passwords
from tests.crash import judge, trials
from tests.crash.slot import Place, Slot

WARMED = (worker, passwords)


def main():
    asked = strictjson.loads(sys.stdin.read())
    plugins.__path__.append(str(Path(__file__).with_name("plugins")))
    catalogue.load()
    logs.configure()
    children = []
    for number, place in enumerate(asked["places"]):
        mine = asked["trials"][number :: len(asked["places"])]
        pid = os.fork()
        if not pid:
            code = 1
            try:
                code = serve(Place(**place), number, mine)
            except Exception:  # noqa: BLE001 -- shown, whatever it is
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        children.append(pid)
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)


def serve(place, number, mine):
    """Run the trials of one slot."""
    slot = Slot(place, number)
    run = slot.start(slot.agents)
    slot.until(lambda: slot.attend(run))
    slot.controls = judge.control(slot, run)
    say(n=-1, faults=judge.faults(slot, run, slot.controls, {}), seconds=0)
    for asked in mine:
        begun = time.monotonic()
        try:
            found = trials.KINDS[asked["kind"]](slot, dict(asked))
        except Exception:  # noqa: BLE001 -- a fault of this trial only
            found = [traceback.format_exc(), str(rows(slot))]
        say(n=asked["n"], faults=found, seconds=round(time.monotonic() - begun, 2))
    slot.close()
    return 0


def rows(slot):
    """Return what is not at its end, for a person who has to find out why."""
    return slot.ask(
        "SELECT e.id, e.agent_name, e.status, e.status_reason, e.worker_id, e.error::text, "
        "(SELECT json_agg(json_build_array(s.path, s.attempt, s.status))::text "
        "FROM step_execution s WHERE s.execution_id = e.id) FROM execution e "
        "WHERE e.finished_at IS NULL"
    )


def say(**facts):
    sys.stdout.write(strictjson.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
