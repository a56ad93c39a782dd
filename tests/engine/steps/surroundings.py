"""What a step type is given, without a worker: scope, catalogue and a folder."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pilot.egress import Egress
from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Resources, StepContext
from pilot.engine.expressions import Scope
from pilot.engine.language import catalogue
from pilot.engine.life import children
from pilot.engine.workflow import document

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OWNER = UUID(int=1)


def step(**fields):
    """Return one parsed step with the id `it`."""
    return document.parse({"steps": [{"id": "it"} | fields]}).steps[0]


class Booked:
    """A gate that keeps what it is told."""

    def __init__(self):
        self.ended = []

    def allows(self, _model):
        return True

    def open(self, attempt):
        assert not attempt.ended

    def close(self, attempt):
        self.ended.append(attempt)


def context(folder=None, *, grants=None, script=None, gate=None, **roots):
    spent = {"cost_usd": 0, "unpriced_calls": 0}
    scope = Scope(
        {"inputs": {}, "steps": {}, "execution": spent, **roots}, NOW, ZoneInfo("Europe/Berlin")
    )
    facts = {"grants": grants, "owner_email": "ann@example.com"}
    resources = Resources(catalogue.load(), Egress(), folder, children, script)
    return StepContext(
        scope,
        "it",
        OWNER,
        facts,
        resources,
        {},
        lambda _step_id: [],
        lambda _chain: gate or Booked(),
    )


def resolved(kind, **resolution):
    """Return a wait that has ended."""
    return WaitRow("it", kind, NOW, resolved=True, resolution=resolution)
