"""The rules of random histories in one process: workers, clocks and faults, one at a time."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from pilot.engine.waits import events
from tests.model import reference
from tests.model.people import PICK, People

MOST_WORKERS = 3
LEASE_S = 16.0
END_TURNS = 400


class History(People):
    """A history whose workers stand still until a rule lets one go on."""

    kinds = (*reference.KINDS, *reference.PAID)

    def __init__(self, ground):
        super().__init__(ground)
        self.workers = []

    # workers

    @precondition(lambda self: len(self.one_of(None)) < MOST_WORKERS)
    @rule()
    def hire(self):
        self.workers.append(self.ground.worker())

    @rule(which=PICK)
    def claim(self, which):
        for worker in self.one_of(which):
            worker.loop.claim()

    @rule(which=PICK, gates=st.lists(PICK, min_size=1, max_size=4))
    def advance(self, which, gates):
        """Let a worker, be it alive or long replaced, do its next commits or effects."""
        for worker in self.one_of(which, stopped=True):
            for gate in gates:
                worker.advance(gate)

    @rule(which=PICK, gates=st.lists(PICK, min_size=1, max_size=12))
    def work(self, which, gates):
        """A worker in good health: it beats, looks, claims, and gets on."""
        for worker in self.one_of(which):
            self.get_on(worker, gates)

    @rule(which=PICK, gates=st.lists(PICK, min_size=1, max_size=6), dies=st.booleans())
    def work_and_stop(self, which, gates, dies):
        """It gets on for a while and dies amid it, or sleeps; others find out at once."""
        for worker in self.one_of(which):
            self.get_on(worker, gates)
            worker.stopped = True
            if dies and not worker.dropped:
                worker.drop()
        self.find_out()

    @rule(which=PICK, gates=st.integers(1, 6))
    def die_after_effect(self, which, gates):
        """It dies with what an effect gave, before that is written; others find out at once."""
        for worker in self.one_of(which):
            self.get_on(worker, [0] * gates)
            for _ in range(gates):
                if not worker.open("work"):
                    worker.advance()
            if not worker.dropped:
                worker.drop()
        self.find_out()

    def find_out(self):
        self.ground.clock.advance(LEASE_S)
        for worker in self.one_of(None):
            if worker.beat():
                worker.look()

    def get_on(self, worker, gates):
        if worker.beat():
            worker.look()
            worker.loop.claim()
            for gate in gates:
                worker.advance(gate)

    @rule(which=PICK, gate=PICK, fault=st.sampled_from(["cut", "deaf"]))
    def break_line(self, which, gate, fault):
        """The connection breaks in a commit: before it arrived, or with the answer on its way."""
        for worker in self.one_of(which):
            worker.advance(gate, fault)

    @rule(which=PICK)
    def sweep(self, which):
        for worker in self.one_of(which):
            if worker.beat():
                worker.look()
                worker.sweep()
                worker.loop.recount()
                events.look()
        self.watch.why(self.expected)

    @rule(which=PICK, what=st.sampled_from(["crash", "crash", "stop", "stop", "wake", "deploy"]))
    def disturb(self, which, what):
        """Kill -9, SIGSTOP, SIGCONT or SIGTERM, after which another takes its place."""
        for worker in self.one_of(which, stopped=True):
            if what in {"stop", "wake"}:
                worker.stopped = what == "stop"
            elif what == "crash":
                worker.drop()
            elif not worker.stopped:
                worker.loop.leave()
                for _ in range(8):
                    worker.advance()
                worker.end()
                self.workers.append(self.ground.worker())

    # the world

    @rule(seconds=st.sampled_from([0.5, 2.5, LEASE_S, LEASE_S, 8_000.0]))
    def time_passes(self, seconds):
        self.ground.clock.advance(seconds)
        for worker in self.one_of(None):
            worker.beat()

    @rule(what=st.sampled_from(["queue", "off", "on", "on", "parallel"]))
    def change(self, what):
        """The queue is emptied, or a setting is another one."""
        if what == "queue":
            self.ground.queue.flushall()
        elif what == "parallel":
            self.ground.set("pilot_max_parallel_steps", 1)
        else:
            self.ground.switch(on=what == "on")

    @rule(really=st.integers(0, 3).map(lambda n: n == 3))
    def restore(self, really):
        """The database comes from a backup; workers of before that live on write nothing in it."""
        if really:
            self.ground.restore()
            self.moved = True

    # at the end

    def teardown(self):
        """The disturbances end: everything comes to its end by itself, with a person's help."""
        try:
            if self.expected:
                self.come_to_an_end()
        finally:
            for worker in self.workers:
                if not worker.dropped:
                    worker.drop()

    def come_to_an_end(self):
        for worker in self.workers:
            if not worker.dropped:
                worker.drop()
        self.ground.switch(on=True)
        last = self.ground.worker()
        self.workers.append(last)
        for turn in range(END_TURNS):
            if self.help() and not last.gates:
                break
            if not last.advance() or turn % 10 == 0:
                self.ground.clock.advance(2.1)
                assert last.beat()
                last.look()
                last.sweep()
                events.look()
                last.loop.claim()
            self.watch.look(self.expected)
        else:
            raise AssertionError(f"it does not end: {self.watch.told(self.expected)}")
        self.watch.judge(self.expected)

    # how rules find and do

    def one_of(self, which, *, stopped=False):
        """Return the worker that is meant, if there is one; all that beat with None."""
        self.workers = [one for one in self.workers if not one.dropped]
        found = [one for one in self.workers if stopped or not one.stopped]
        self.moved = self.moved or bool(found)
        return found if which is None else found[which % len(found) :][:1] if found else []
