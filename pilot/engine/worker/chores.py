"""What every worker does now and then besides running executions; each look is its own thread's.

Any number of workers may look at once: each chore takes its work row by row from the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pilot.audit import Actor
from pilot.config import Config
from pilot.engine.life import bulk, children, preflight
from pilot.engine.providers import ledger
from pilot.engine.triggers import firing
from pilot.engine.upkeep import anchors, retention, rollups
from pilot.engine.upkeep.spans import Collector
from pilot.engine.waits import events

FIRE_EVERY_S = 0.5
EVENTS_EVERY_S = 1.0  # only of what a process that died left, and of what came early
CHILDREN_EVERY_S = 1.0
BULK_EVERY_S = 1.0
LOSE_EVERY_S = 600.0  # calls that a process left, which is rare: most are lost with their step
ROLL_UP_EVERY_S = 60.0
SPANS_EVERY_S = 5.0
ANCHOR_EVERY_S = 10.0  # a look; an anchor follows after enough time or rows
PRUNE_AFTER_S, PRUNE_EVERY_S = 600.0, 86_400.0  # the first time after a start, and then


@dataclass(frozen=True)
class Chore:
    """One thing to look at: again at once while there was something to do, else after a while.

    At a start what waits for a worker comes first, not a connection for each chore.
    """

    name: str
    look: Callable[[], Any]
    every_s: float
    after_s: float = 1.0  # before the first look
    until_done: bool = False  # what it returns says whether there is more


def chores(config: Config) -> list[Chore]:
    """Return what a worker looks after."""
    setup = preflight.Setup(config.data, has_models=config.script is not None)
    by = Actor("worker")
    fire = partial(firing.look, setup, config.url)
    return [
        Chore("triggers", fire, FIRE_EVERY_S, until_done=True),
        Chore("events", events.look, EVENTS_EVERY_S),
        Chore("children", children.follow, CHILDREN_EVERY_S, until_done=True),
        Chore("bulk", bulk.look, BULK_EVERY_S, until_done=True),
        Chore("lose", ledger.lose_left, LOSE_EVERY_S, until_done=True),
        Chore("roll_up", rollups.roll_up, ROLL_UP_EVERY_S, until_done=True),
        Chore("anchor", anchors.Anchors(config.data).append, ANCHOR_EVERY_S),
        *_told(config),
        Chore("prune", partial(retention.prune, by=by), PRUNE_EVERY_S, PRUNE_AFTER_S),
    ]


def _told(config: Config) -> list[Chore]:
    """Return the telling of spans, where an administrator named a collector."""
    if config.collector_url is None:
        return []
    parts = urlsplit(config.collector_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    collector = Collector(
        config.collector_url, f"{parts.hostname}:{port}", config.collector_headers
    )
    return [Chore("spans", collector.look, SPANS_EVERY_S, until_done=True)]
