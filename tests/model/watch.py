"""What always holds, read from the rows, the receiver and the audit trail after each rule."""

from collections import Counter

from pilot import db
from pilot.reports import execution as report
from tests.crash import judge

FACTS = """
SELECT e.id, e.status, e.status_reason, e.worker_id IS NOT NULL,
       EXISTS (SELECT 1 FROM wait w WHERE w.execution_id = e.id AND w.consumed_at IS NULL
               AND w.resolved_at IS NULL),
       (SELECT json_object_agg(s.path || '#' || s.attempt, coalesce(md5(s.output::text), '-'))
          FROM step_execution s WHERE s.execution_id = e.id AND s.status = 'completed'),
       spent_usd = (SELECT coalesce(sum(c.cost), 0) FROM call c
                     WHERE c.execution_id = e.id AND c.state <> 'reserved')
         AND reserved_usd = (SELECT coalesce(sum(c.reserved), 0) FROM call c
                              WHERE c.execution_id = e.id AND c.state = 'reserved')
         AND spent_usd + reserved_usd <= budget_usd
  FROM execution e WHERE e.id = ANY (%s)
"""
ANSWERS = """
SELECT path, count(*) FROM call WHERE execution_id = %s AND outcome = 'ok' AND NOT wasted GROUP BY 1
"""
MONEY = """
SELECT spent_usd, reserved_usd, budget_usd, (SELECT json_agg(c) FROM call c
  WHERE c.execution_id = e.id) FROM execution e WHERE id = %s"""
ENDED = "SELECT status, output, error FROM execution WHERE id = %s"
FOR_PEOPLE = {"unknown_outcome", "poisoned", "restored"}
WITH_WORKER = {"running", "cancelling"}
FINAL = {"completed", "failed", "cancelled"}


class Watch:
    """Looks at the executions of one history."""

    def __init__(self, ground):
        self.ground, self.known, self._outputs = ground, {}, {}

    def add(self, execution, known):
        self.known[execution] = known

    def ask(self, statement, *values):
        return self.ground.ask(statement, *values)

    def status(self, one):
        return self.ask("SELECT status FROM execution WHERE id = %s", one)[0][0]

    def unknown(self, one):
        rows = self.ask(
            "SELECT path FROM step_execution WHERE execution_id = %s AND status = 'unknown'", one
        )
        return [path for (path,) in rows]

    def budget(self, one):
        return self.ask("SELECT budget_usd FROM execution WHERE id = %s", one)[0][0]

    def undone(self, one):
        found = self.ask("SELECT compensation = 'begun' FROM execution WHERE id = %s", one)
        return found[0][0]

    def approvals(self, one):
        """Return all approvals: id, step, what would happen, whether it can be decided now."""
        return self.ask(
            "SELECT id, path, payload_hash, decision IS NULL AND expires_at > pilot_now()"
            " FROM approval WHERE execution_id = %s",
            one,
        )

    # after each rule

    def look(self, expected):
        """I1, I2, I4 and I5: effects at most once, legal states, sound books, somebody at work."""
        for one, status, reason, held, waits, outputs, adds_up in self.ask(FACTS, list(expected)):
            about = (self.known[one], status, reason)
            assert held == (status in WITH_WORKER), about
            assert adds_up, (about, self.ask(MONEY, one))
            assert status != "waiting" or waits, about
            assert status != "needs_attention" or reason in FOR_PEOPLE, about
            before = self._outputs.get(one, {})
            assert (outputs or {}).items() >= before.items(), (about, before, outputs)
            self._outputs[one] = outputs or {}
        self._effects(expected)

    def _effects(self, expected):
        by_name = {known: one for one, known in self.known.items()}
        applied, asked = Counter(), Counter()
        for one in self.ground.requests():
            effect = (one["id"], one["step"], one["mode"])
            applied[effect] += one["applied"]
            asked[effect] += 1
        for (known, step, mode), count in applied.items():
            again = expected[by_name[known]].repeated.get(step, 0) if mode == "once" else 0
            happened = asked[known, step, mode] if mode == "once" else count
            assert happened <= 1 + again, f"{known} {step} happened {happened} times"

    # at the end

    def judge(self, expected):
        """I3 and I6: the trail is whole, and the result is that of an undisturbed execution."""
        for one, wanted in expected.items():
            status, output, error = self.ask(ENDED, one)[0]
            about = f"{self.known[one]} {wanted} ended as {status} {output} {error}"
            assert status in wanted.ends(), about
            if status == "completed":
                assert output == wanted.output(), f"{about} instead of {wanted.output()}"
                self._all_happened(one, wanted)
            self._undoing(one, wanted, status)
            self._paid(one, wanted)
            found = [*judge._attempts(self, one), *judge._timeline(self, one)]
            found += judge._trail(self, one)
            assert found == [], (about, found)

    def _all_happened(self, one, wanted):
        sent = {each["step"] for each in self.ground.requests() if each["id"] == self.known[one]}
        assert {step for step in sent if not step.startswith("back-")} >= (
            wanted.effects() - self._said(one)
        ), sent
        done = wanted.statuses()
        for n, kind in enumerate(wanted.plan.kinds):
            name = wanted.plan.name(n)
            if kind == "probe":
                rows = self.ground.rows_of(f"{self.known[one]}.{name}")
                assert rows == (done[name] == "completed"), (name, rows)

    def _said(self, one):
        """Return the steps of which a person said that they happened."""
        rows = self.ask(
            "SELECT path FROM event WHERE execution_id = %s AND data ->> 'answer' = 'happened'", one
        )
        return {path for (path,) in rows}

    def _undoing(self, one, wanted, status):
        """What was finished is undone once if it failed or was cancelled, never otherwise."""
        known = self.known[one]
        applied = Counter(
            each["step"]
            for each in self.ground.requests()
            if each["id"] == known and each["applied"] and each["step"].startswith("back-")
        )
        for n, kind in enumerate(wanted.plan.kinds):
            if kind != "undone":
                continue
            name = wanted.plan.name(n)
            done = self.ask(
                "SELECT 1 FROM step_execution WHERE execution_id = %s AND path = %s"
                " AND status = 'completed'",
                one,
                name,
            )
            undone = bool(done) and status in {"failed", "cancelled"}
            assert applied[f"back-{name}"] == undone, (name, status, applied)

    def _paid(self, one, wanted):
        """Each answer was paid once, what was lost is counted, and all is at least the bill."""
        if "model" not in wanted.plan.kinds:
            return
        spent, reserved, *rest = self.ask(MONEY, one)[0]
        billed = self.ground.billed(self.known[one])
        assert reserved == 0, (reserved, rest)
        assert spent >= billed, (spent, billed, rest)
        answers = dict(self.ask(ANSWERS, one))
        completed = self.ask(
            "SELECT path FROM step_execution WHERE execution_id = %s AND status = 'completed'"
            " AND type = 'ai_processing'",
            one,
        )
        assert answers == {path: 1 for (path,) in completed}, (completed, rest)

    def why(self, expected):
        """What keeps each from its end is named."""
        with db.reading(None, sees_all=True) as session:
            for one in expected:
                shown = report.shown(session, one)
                moves = shown.row.status in FINAL | WITH_WORKER
                assert moves or shown.why != "nothing holds it", (self.known[one], shown.why)

    def told(self, expected):
        """Return what the page says of those that do not end."""
        with db.reading(None, sees_all=True) as session:
            return [
                (self.known[one], shown.row.status, shown.why, wanted)
                for one, wanted in expected.items()
                if (shown := report.shown(session, one)).row.status not in FINAL
            ]
