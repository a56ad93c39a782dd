"""`pilot agent simulate`: an agent's workflow run without the world, and what that showed."""

from argparse import ArgumentParser, Namespace
from typing import Any

from pilot import db, money, strictjson
from pilot.cli import acting
from pilot.cli.named import inputs_of, pairs
from pilot.cli.terminal import say, show
from pilot.engine.agents import agents
from pilot.engine.life import simulations
from pilot.engine.life.worst_case import Bounds
from pilot.engine.people.levels import OPERATE
from pilot.engine.workflow.ways import REJECTED
from pilot.reports import results
from pilot.reports import simulations as report

NOT_COMPLETED = 6


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("agent", help="the agent's id or its exact name")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--force",
        action="append",
        default=[],
        metavar="STEP=WAY",
        help="take this way: then, else, case0 .., default, on_error, on_timeout or rejected; "
        "sub_workflow/step names one of its own steps",
    )
    parser.add_argument("--each", action="store_true", help="take every way once")
    parser.add_argument("--key", help="the same key within 24 h simulates once")
    parser.set_defaults(run=_simulate, needs=OPERATE)


def _simulate(args: Namespace) -> int:
    setup = acting.setup(acting.connect())
    owner = acting.person(args)
    asked = simulations.Asked(
        inputs=inputs_of(owner, args.agent, args.input),
        force={step: str(way) for step, way in pairs(args.force).items()},
        each=args.each,
        key=args.key,
    )
    with db.reading(owner.id) as session:
        agent = agents.find(session, args.agent)
    by: dict[str, Any] = {"by": acting.actor(), "user_id": owner.id, "setup": setup}
    made = simulations.begin(agent.id, asked, trigger="cli", **by)
    with db.reading(owner.id) as session:
        started = report.shown(session, made).executions
    for one in started:
        results.awaited(lambda: db.reading(owner.id), one["id"])
    with db.reading(owner.id) as session:
        shown = report.shown(session, made)
    if args.json:
        show(strictjson.plain(report.facts(shown)))
    else:
        _tell(shown)
    good = all(one["status"] == "completed" or _as_told(one) for one in shown.executions)
    return 0 if good else NOT_COMPLETED


def _as_told(one: dict[str, Any]) -> bool:
    """Whether it ended because it was told that somebody refuses."""
    told = REJECTED in (one["ways"] or {}).values()
    return told and (one["error"] or {}).get("class") == REJECTED


def _tell(shown: report.Simulation) -> None:
    for one in shown.executions:
        wrong = f": {one['error'].get('message')}" if one["error"] else ""
        say(f"Execution {one['id']}: {one['status'].replace('_', ' ')}{wrong}")
    say(f"{shown.taken} of {len(shown.coverage)} ways taken")
    for line in shown.coverage:
        say(f"  {line.path} {line.way}: {'taken' if line.taken else line.why}")
    for source in shown.sources:
        say(f"  {source.path}: {source.words}")
    say(f"With as many items as here: {_words(shown.here)}")
    say(f"With as many as may be: {_words(shown.most)}")


def _words(one: Bounds) -> str:
    cost = "at an unknown price" if one.unpriced else f"for {money.usd(one.usd)} at most"
    steps = f"{one.least:,} to {one.most:,} steps, {one.attempts:,} attempts"
    return f"{steps}, {one.asks:,} calls to models {cost}"
