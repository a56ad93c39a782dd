"""The rules of random histories: what workers, people, clocks and faults do, one at a time."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilot.engine.approvals import approvals
from pilot.engine.life import executions, retrying, starts
from pilot.engine.status import CANCELLABLE, PAUSABLE, RESUMABLE
from pilot.engine.waits import events
from pilot.errors import PilotError
from tests.model import reference
from tests.model.ground import answered
from tests.model.watch import FINAL, Watch

MOST_EXECUTIONS, MOST_WORKERS = 3, 3
PICK = st.integers(0, 5)
LEASE_S = 16.0
END_TURNS = 400


class History(RuleBasedStateMachine):
    """One history: its executions, its workers, and what the reference knows of them."""

    def __init__(self, ground):
        super().__init__()
        self.ground, self.workers, self.expected = ground, [], {}
        self.moved = False  # whether the rows may have changed since somebody looked
        ground.clear()
        self.watch = Watch(ground)
        self.by = {"by": ground.person.actor, "user_id": ground.person.id}

    # what is there to begin with

    @initialize(plan=reference.plans())
    def begin(self, plan):
        self.plan = plan
        self.agent = self.ground.agent(plan)
        self.hire()
        self.start(1)

    # people

    @precondition(lambda self: len(self.expected) < MOST_EXECUTIONS)
    @rule(n=st.integers(0, 9), edited=st.none() | reference.plans())
    def start(self, n, edited=None):
        """Start, and send the same request again: it is one execution.

        If somebody saved another version before, what runs keeps its own, this one takes the new.
        """
        if edited is not None:
            self.agent, self.plan = self.ground.edit(self.agent, edited), edited
        self.moved = True
        self.ground.switch(on=True)  # else it would not run its steps
        known = self.ground.name()
        asked = starts.Start(inputs={"id": known, "n": n}, key=f"key-{known}")
        one = starts.start(self.agent, asked, **self.by)
        assert starts.start(self.agent, asked, **self.by) == one
        self.expected[one] = reference.Expected(self.plan, n)
        self.watch.add(one, known)

    @rule(which=PICK, what=st.sampled_from(["pause", "resume", "resume", "cancel", "retry"]))
    def person(self, which, what):
        one = self.some(which)
        getattr(self, f"{what}_one")(one, self.status(one))

    def pause_one(self, one, before):
        if self.press(executions.pause, one, allowed=before in PAUSABLE):
            assert self.status(one) == ("running" if before == "running" else "paused")

    def resume_one(self, one, before):
        asked = before == "needs_attention" and bool(self.watch.unknown(one))
        if self.press(executions.resume, one, allowed=before in RESUMABLE and not asked):
            assert self.status(one) == "queued"

    def cancel_one(self, one, before):
        if self.press(executions.cancel, one, allowed=before in CANCELLABLE):
            self.expected[one].cancelled = True
            now = {"running": {"cancelling"}}.get(before, {"cancelled", "queued"})
            assert self.status(one) in now

    def retry_one(self, one, before):
        allowed = before == "failed" and not self.watch.undone(one)
        if self.press(retrying.failed, one, allowed=allowed):
            self.expected[one].late = False
            self.expected[one].refused.clear()  # they are asked again
            assert self.status(one) == "queued"

    @rule(
        which=PICK,
        decision=st.sampled_from(["approved", "rejected"]),
        said=st.sampled_from(["happened", "run", "skip"]),
    )
    def reply(self, which, decision, said):
        """Decide, say what became of unknown steps, and send the events of one execution."""
        one = self.some(which)
        for approval, path, seen, is_open in self.watch.approvals(one):
            decide = partial(approvals.decide, approval, decision, seen_hash=seen)
            if self.press(decide, allowed=is_open) and decision == "rejected":
                self.expected[one].refused.add(path)
        for path in self.watch.unknown(one):
            result = answered(self.watch.known[one], path) if said == "happened" else None
            answer = partial(executions.answer, one, path, said, result=result)
            if self.press(answer, allowed=self.status(one) != "cancelling"):
                self.note(one, path, said)
        for sent in self.awaited(one):
            self.moved = True
            events.send(sent, **self.by)
            assert events.send(sent, **self.by).repeated

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

    @rule(which=PICK, really=st.integers(0, 5).map(lambda n: n == 5))
    def deadline(self, which, really):
        one = self.some(which)
        if really and self.status(one) not in FINAL:
            self.ground.ask("UPDATE execution SET deadline_at = pilot_now() WHERE id = %s", one)
            self.expected[one].late = True

    # what always holds

    @invariant()
    def it_is_sound(self):
        if self.moved:
            self.watch.look(self.expected)
        self.moved = False

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

    def help(self):
        """Do what the pages ask for; True when everything is at its end."""
        over = True
        for one in self.expected:
            status = self.status(one)
            if status == "waiting":
                for sent in self.awaited(one, named=False):
                    events.send(sent, **self.by)
                self.approve(one)
            elif status == "needs_attention" and self.watch.unknown(one):
                self.tell_the_truth(one)
            elif status in {"paused", "needs_attention"}:
                executions.resume(one, **self.by)
            over = over and status in FINAL
        return over

    # how rules find and do

    def some(self, which):
        return list(self.expected)[which % len(self.expected)]

    def one_of(self, which, *, stopped=False):
        """Return the worker that is meant, if there is one; all that beat with None."""
        self.workers = [one for one in self.workers if not one.dropped]
        found = [one for one in self.workers if stopped or not one.stopped]
        self.moved = self.moved or bool(found)
        return found if which is None else found[which % len(found) :][:1] if found else []

    def status(self, one):
        return self.watch.status(one)

    def press(self, operation, *arguments, allowed):
        """Press a button: it is heeded exactly when the reference says so."""
        try:
            operation(*arguments, **self.by)
        except PilotError:
            if allowed:
                raise
            return False
        assert allowed, f"{operation} was accepted"
        self.moved = True
        return True

    def note(self, one, path, said):
        step = path.split("/")[0]
        if said == "skip":
            self.expected[one].skipped.add(step)
        if said == "run":
            repeated = self.expected[one].repeated
            repeated[path] = repeated.get(path, 0) + 1

    def approve(self, one):
        for approval, _, seen, is_open in self.watch.approvals(one):
            if is_open:
                approvals.decide(approval, "approved", seen_hash=seen, **self.by)

    def awaited(self, one, *, named=True):
        """Yield the events that its steps wait for, or will wait for."""
        plan = self.expected[one].plan
        for n, kind in enumerate(plan.kinds):
            if kind == "event":
                name = f"go.{self.watch.known[one]}.{plan.name(n)}"
                yield events.Sent(name, {"n": n}, id=name if named else None)

    def tell_the_truth(self, one):
        for path in self.watch.unknown(one):
            known = self.watch.known[one]
            said = "happened" if self.ground.was_sent(known, path) else "run"
            result = answered(known, path) if said == "happened" else None
            executions.answer(one, path, said, result=result, **self.by)
            self.note(one, path, said)
