"""Random histories against real processes: the rules of people, and workers that are killed.

They take place in a slot of the crash laboratory. Nothing stands still there: what a person reads
may have moved before the press, so a press may be refused, and time passes by itself.
"""

import os
import signal
import time
from contextlib import suppress
from multiprocessing import RawValue
from types import SimpleNamespace

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.reporting import with_reporter
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from pilot import jobs
from tests.crash import trials
from tests.model.ground import Ground
from tests.model.people import PICK, People

MOST_WORKERS = 2
RULES = 25
LOOKS = 3  # of a page that is put together from several statements
POINTS = (
    *("claim.after_commit:1", "intent.after_commit:1", "effect.before:1", "effect.before:2"),
    *("effect.after:1", "effect.after:2", "result.before_commit:1", "result.after_commit:2"),
    *("wait.before_commit:1", "park.after_commit:1", "interrupt.before_commit:1"),
    *("pause.after_commit:1", "finish.before_commit:1", "execution.compensate.after_commit:1"),
)


class Slotted(Ground):
    """A slot, in which time passes a tenth as long as the workflows of other histories say."""

    pace = 0.1

    def __init__(self, slot):
        self.slot, self.table = slot, slot.table
        self.person = SimpleNamespace(id=slot.owner, actor=slot.by)
        self.host = slot.place.base.removeprefix("http://")
        self._names = []

    def clear(self):
        self._names.clear()

    def name(self):
        self.slot.count += 1
        self._names.append(f"{self.slot.number:02}-{self.slot.count:05}")
        return self._names[-1]

    def ask(self, statement, *values):
        cursor = self.slot.rows.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def requests(self):
        return [one for name in self._names for one in self.slot.seen(name)]


class Processes(People):
    """A history whose workers are processes; the one that survives all claims at the end."""

    stands_still = False

    def __init__(self, ground):
        super().__init__(ground)
        self.slot = ground.slot
        self.workers = {}  # the clock of those that were stopped, by pid
        self.slot.gate(closed=True)

    @precondition(lambda self: len(self.workers) < MOST_WORKERS)
    @rule(dies_at=st.none() | st.sampled_from(POINTS), how=st.sampled_from(["kill9", "stop"]))
    def hire(self, dies_at=None, how="kill9"):
        """Start a worker, perhaps one that dies at a crash point, or falls asleep there."""
        slept = RawValue("d")
        work = trials.sleeper(slept)
        pid = self.slot.fork(f"{dies_at}:{how}" if dies_at else "", work=work)
        self.workers[pid] = slept
        self.moved = True

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.1, 0.3, 0.6]))
    def time_passes(self, seconds):
        time.sleep(seconds)
        self.moved = True
        self.bury()
        self.see_why()

    @rule(which=PICK, what=st.sampled_from(["crash", "stop", "wake", "deploy"]))
    def disturb(self, which, what):
        """Kill -9; SIGSTOP until its lease has ended; SIGCONT; SIGTERM."""
        self.bury()
        for pid in list(self.workers)[which % MOST_WORKERS :][:1]:
            if what == "stop":
                os.kill(pid, signal.SIGSTOP)
                self.lose(pid)
            elif what == "wake":
                os.kill(pid, signal.SIGCONT)
            else:
                os.kill(pid, signal.SIGKILL if what == "crash" else signal.SIGTERM)

    @rule(what=st.sampled_from(["queue", "off", "on", "on"]))
    def change(self, what):
        """The queue is emptied, or Pilot is switched off, or on."""
        if what == "queue":
            jobs.connect(self.slot.place.redis).flushall()
        else:
            self.ground.switch(on=what == "on")

    def bury(self):
        """Notice who died; for those who fell asleep at a crash point their lease ends."""
        for pid in list(self.workers):
            if self.slot.ended(pid) is not None:
                del self.workers[pid]
            elif not self.workers[pid].value and self.slot.state(pid) == "T":
                self.lose(pid)

    def lose(self, pid):
        self.slot.end_leases([pid])
        self.workers[pid].value = trials.LEASE_S

    def see_why(self):
        """What keeps each from its end is named, though rows change while the page reads them."""
        for _ in range(LOOKS):
            with suppress(AssertionError):
                self.watch.why(self.expected)
                return
        self.watch.why(self.expected)

    def teardown(self):
        """Those asleep wake up, nobody else dies, and all comes to its end."""
        try:
            self.bury()
            for pid in self.workers:
                os.kill(pid, signal.SIGCONT)
            if self.expected:
                self.come_to_an_end()
        finally:
            for pid in self.workers:
                self.slot.end(pid)
            self.ground.switch(on=True)
            self.slot.gate(closed=False)

    def come_to_an_end(self):
        self.ground.switch(on=True)
        self.slot.gate(closed=False)
        self.slot.until(self.help)
        self.watch.look(self.expected)
        self.watch.judge(self.expected)

    def help(self):
        self.bury()
        self.slot.supervise()
        return super().help()


def histories(slot, asked):
    """Run some histories that follow from a seed."""
    ground, told = Slotted(slot), []
    chosen = settings(
        max_examples=asked["histories"],
        stateful_step_count=RULES,
        phases=[Phase.generate],  # none comes twice: a shorter one would not be the same
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine = seed(asked["seed"])(lambda: Processes(ground))
    with with_reporter(told.append):
        try:
            run_state_machine_as_test(machine, settings=chosen)
        except BaseException as error:
            error.add_note("\n".join(told))
            raise
    return []


KINDS = {"histories": histories}
