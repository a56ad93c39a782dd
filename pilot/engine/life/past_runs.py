"""What is known of an agent before it runs: its past runs, the model that would be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pilot import db, settings
from pilot.engine.acting.repeating import MAX_ITEMS
from pilot.engine.agents import agents, nesting
from pilot.engine.providers import model_catalogue
from pilot.engine.workflow import document
from pilot.engine.workflow.document import Workflow
from pilot.errors import ConflictError, InvalidError, NotFoundError
from pilot.llm.messages import Price
from pilot.models.agent import Agent

# Of the newest executions of an agent the newest hundred runs of each step, those in all rounds
# together, and what their calls cost. Own steps of a sub_workflow stand behind it: "within > step".
RUNS = text(r"""
SELECT path, count(*) AS runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS ms,
       avg(usd) AS mean, coalesce(var_samp(usd), 0) AS variance, bool_or(unpriced) AS unpriced,
       avg(items) AS items, coalesce(var_samp(items), 0) AS items_variance
  FROM (SELECT r.*, row_number() OVER (PARTITION BY path ORDER BY started_at DESC) AS place
          FROM (SELECT regexp_replace(e.around || s.path, '\[\d+\]', '', 'g') AS path,
                       s.started_at, coalesce(sum(c.cost), 0) AS usd,
                       CASE WHEN s.type = 'ai_processing' AND s.duration_ms = 0  -- batches count
                            THEN extract(epoch FROM s.finished_at - s.started_at) * 1000
                            ELSE s.duration_ms END AS duration_ms,
                       coalesce(bool_or(c.id IS NOT NULL AND c.cost IS NULL), false) AS unpriced,
                       CASE WHEN s.type IN ('loop', 'scatter_gather')
                            THEN cast(coalesce(s.input ->> 'total', CASE
                              WHEN json_typeof(s.output -> 'total') = 'number'
                              THEN s.output ->> 'total' END) AS numeric) END AS items
                  FROM (SELECT id, CASE WHEN runs_reason = 'inline' THEN parent_path || ' > '
                                        ELSE '' END AS around
                          FROM execution WHERE agent_id = :agent AND mode <> 'simulate'
                         ORDER BY id DESC LIMIT 300) AS e
                  JOIN step_execution s ON s.execution_id = e.id
                  LEFT JOIN call c ON c.execution_id = s.execution_id AND (c.path = s.path
                    OR starts_with(c.path, s.path || '/') AND (s.type = 'llm_decision'
                      OR s.type = 'ai_processing' AND c.path ~ '/(call|again|row)\[\d+\]$'))
                 WHERE s.status = 'completed' AND s.duration_ms IS NOT NULL
                 GROUP BY e.around, s.execution_id, s.path, s.attempt) AS r) AS run
 WHERE place <= 100 GROUP BY path
""")
TYPES = text("""
SELECT s.type, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.duration_ms) AS ms
  FROM step_execution s JOIN execution e ON e.id = s.execution_id AND e.mode <> 'simulate'
 WHERE s.status = 'completed' AND s.duration_ms IS NOT NULL
   AND s.started_at > pilot_now() - interval '30 days'
 GROUP BY s.type
""")


@dataclass(frozen=True)
class Known:
    """What is known before: of an agent's steps, of each type of step, of the first model."""

    runs: Mapping[str, Any]
    types: Mapping[str, float]
    price: Price | None
    model_id: str | None
    most_items: int = MAX_ITEMS  # of a scatter
    at_once: int = 1  # steps of an execution, unless its workflow says otherwise

    def within(self, path: str) -> "Known":
        """Return what is known of the own steps of a sub_workflow."""
        before, deeper = f"{path} > ", {k: one for k, one in self.runs.items() if " > " in k}
        own = {k.removeprefix(before): one for k, one in deeper.items() if k.startswith(before)}
        return replace(self, runs=deeper | own)


Ran = tuple[Workflow, Known]  # what an agent runs, and what is known of that
Find = Callable[[str, int | None], Ran | None]  # an agent by its id or name, at a version


def known_of(session: Session, agent_id: UUID | None) -> Known:
    """Return what is known of the steps of an agent, and of the model that would be asked."""
    values, _ = settings.snapshot(session)
    chain = model_catalogue.chain(session, model_catalogue.chosen(values))
    model = chain.models[0] if chain.models else None
    return Known(
        _runs_of(session, agent_id) if agent_id is not None else {},
        {row.type: row.ms for row in session.execute(TYPES)},
        model.price if model is not None else None,
        model.id if model is not None else None,
        int(values["pilot_max_items"]),
        int(values["pilot_max_parallel_steps"]),
    )


def _runs_of(session: Session, agent_id: UUID) -> dict[str, Any]:
    return {row.path: row for row in session.execute(RUNS, {"agent": agent_id})}


@dataclass
class Agents:
    """The agents that an execution runs which is started at a moment, as their owner finds them."""

    session: Session
    moment: datetime
    known: Known
    owner_id: UUID | None = None  # None: whoever looks
    seen: dict[tuple[str, int | None], Ran | None] = field(default_factory=dict)

    def find(self, name: str, number: int | None) -> Ran | None:
        """Return what a step that names an agent would run; None: nothing, as the step fails."""
        if (name, number) not in self.seen:
            viewer, sees_all = self.session.info["user_id"], self.session.info["sees_all"]
            db.act_as(self.session, self.owner_id or viewer)
            self.seen[name, number] = self._ran(name, number)
            db.act_as(self.session, viewer, sees_all=sees_all)
        return self.seen[name, number]

    def _ran(self, name: str, number: int | None) -> Ran | None:
        try:
            agent = agents.find(self.session, name)
            version = nesting.version_of(self.session, agent, number, self.moment)
            workflow = document.parse(agents.workflow_of(agent, version))
        except (ConflictError, InvalidError, NotFoundError):
            return None
        return workflow, replace(self.known, runs=_runs_of(self.session, agent.id))


def starting(session: Session, agent_id: UUID | None, known: Known) -> Agents:
    """Return the agents that an execution would run if it started now."""
    owner_id = session.scalar(select(Agent.owner_id).where(Agent.id == agent_id))
    return Agents(session, db.now(), known, owner_id)
