"""The rules of random histories that need no worker: what people do, and what has to come out.

How workers run, and how they die, is said by `machine.py` (in one process, step by step, under
virtual time) and `real.py` (processes of their own).
"""

from decimal import Decimal
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilot.engine.approvals import approvals
from pilot.engine.life import executions, retrying, starts
from pilot.engine.providers.budgets import Limits
from pilot.engine.status import ANSWERABLE, CANCELLABLE, PAUSABLE, RAISABLE, RESUMABLE
from pilot.engine.waits import events
from pilot.errors import PilotError
from tests.model import reference
from tests.model.ground import answered
from tests.model.watch import FINAL, Watch

MOST_EXECUTIONS = 3
PICK = st.integers(0, 5)
PLANS = st.runner().flatmap(lambda history: reference.plans(history.kinds))
MORE_USD = Decimal("0.0004")
ENOUGH = Limits(Decimal(10), None)


class People(RuleBasedStateMachine):
    """One history: its executions, and what the reference knows of them."""

    kinds = reference.KINDS
    stands_still = True  # whether nothing moves while a person looks and presses

    def __init__(self, ground):
        super().__init__()
        self.ground, self.expected = ground, {}
        self.moved = False  # whether the rows may have changed since somebody looked
        ground.clear()
        self.watch = Watch(ground)
        self.by = {"by": ground.person.actor, "user_id": ground.person.id}

    # what is there to begin with

    @initialize(plan=PLANS)
    def begin(self, plan):
        self.plan = plan
        self.agent = self.ground.agent(plan)
        self.hire()
        self.start(1)

    # people

    @precondition(lambda self: len(self.expected) < MOST_EXECUTIONS)
    @rule(n=st.integers(0, 9), edited=st.none() | PLANS)
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
            self.now(one, {"running" if before == "running" else "paused"})

    def resume_one(self, one, before):
        asked = before == "needs_attention" and bool(self.watch.unknown(one))
        if self.press(executions.resume, one, allowed=before in RESUMABLE and not asked):
            self.now(one, {"queued"})

    def cancel_one(self, one, before):
        if self.press(executions.cancel, one, allowed=before in CANCELLABLE):
            self.expected[one].cancelled = True
            self.now(one, {"running": {"cancelling"}}.get(before, {"cancelled", "queued"}))

    def retry_one(self, one, before):
        allowed = before == "failed" and not self.watch.undone(one)
        if self.press(retrying.failed, one, allowed=allowed):
            self.expected[one].late = False
            self.expected[one].refused.clear()  # they are asked again
            self.now(one, {"queued"})

    @precondition(lambda self: any("model" in one.plan.kinds for one in self.expected.values()))
    @rule(which=PICK)
    def top_up(self, which):
        """Give one more than it has; if it waited for that, it goes on."""
        one = self.some(which)
        before, budget = self.status(one), self.watch.budget(one)
        if budget is not None:
            raised = partial(executions.raise_budget, one, Limits(budget + MORE_USD, None))
            if self.press(raised, allowed=before in RAISABLE):
                self.now(one, {"queued"} if before == "budget_paused" else {before})

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
            if self.press(answer, allowed=self.status(one) in ANSWERABLE):
                self.note(one, path, said)
        for sent in self.awaited(one):
            self.moved = True
            events.send(sent, **self.by)
            assert events.send(sent, **self.by).repeated

    # the world

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

    # at the end

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
            elif status == "budget_paused":
                executions.raise_budget(one, ENOUGH, **self.by)
            elif status in {"paused", "needs_attention"}:
                executions.resume(one, **self.by)
            over = over and status in FINAL
        return over

    # how rules find and do

    def some(self, which):
        return list(self.expected)[which % len(self.expected)]

    def status(self, one):
        return self.watch.status(one)

    def now(self, one, statuses):
        """It is there at once, if no worker goes on with it meanwhile."""
        assert not self.stands_still or self.status(one) in statuses

    def press(self, operation, *arguments, allowed):
        """Press a button: it is heeded exactly when the reference says so."""
        try:
            operation(*arguments, **self.by)
        except PilotError:
            if allowed and self.stands_still:
                raise
            return False
        assert allowed or not self.stands_still, f"{operation} was accepted"
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
