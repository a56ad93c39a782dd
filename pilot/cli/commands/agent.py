"""Agents: list and show them, make one, generate one from a goal, start one, schedule it."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from pilot import db, money, strictjson
from pilot.cli import acting, event_triggers, schedules, simulations, webhooks
from pilot.cli.named import inputs_of, pairs
from pilot.cli.terminal import answer, complain, say, show
from pilot.engine.agents import agents, portable
from pilot.engine.agents.agents import NewAgent
from pilot.engine.editor import display
from pilot.engine.generation import drafts, surroundings
from pilot.engine.language import catalogue
from pilot.engine.life import preflight, starts
from pilot.engine.life.forecast import forecast
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.people.users import SessionUser
from pilot.engine.providers import budgets
from pilot.engine.status import ExecutionStatus
from pilot.engine.workflow import document as workflows
from pilot.errors import NotFoundError
from pilot.models.agent import Agent
from pilot.models.generation import Generation
from pilot.reports import results

INVALID, NOT_COMPLETED = 5, 6


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the agents that the person may see")
    listing.set_defaults(run=_list, needs=VIEW)
    one = actions.add_parser("show", help="show its goal, its steps and what it will take")
    one.add_argument("agent", help="the agent's id or its exact name")
    one.set_defaults(run=_show, needs=VIEW)
    create = actions.add_parser("create", help="make one of a workflow document, or a prompt")
    create.add_argument("name")
    create.add_argument("--document", metavar="FILE", help="JSON or YAML; - reads stdin")
    create.add_argument("--goal", default="")
    create.add_argument("--prompt", default="", help="what its simple loop sends to the model")
    create.add_argument("--key", help="the same key within 24 h makes one")
    create.set_defaults(run=_create, needs=OPERATE)
    generate = actions.add_parser("generate", help="draft a workflow from a goal and save it")
    generate.add_argument("goal", help="what the agent shall do, in plain words; - reads stdin")
    generate.add_argument("--name", help="the agent's name (default: the workflow's)")
    generate.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="ID=VALUE",
        help="answer a question of an earlier try",
    )
    generate.add_argument("--draft", action="store_true", help="do not save it as an agent")
    generate.set_defaults(run=_generate, needs=OPERATE)
    export = actions.add_parser("export", help="write an agent as YAML, without ids and secrets")
    export.add_argument("agent", help="the agent's id or its exact name")
    export.set_defaults(run=_export, needs=VIEW)
    bring_in = actions.add_parser("import", help="make an agent, switched off, of such a YAML")
    bring_in.add_argument("file", help="the file; - reads stdin")
    bring_in.add_argument("--dry-run", action="store_true", help="only show what would change")
    bring_in.add_argument(
        "--new-version", action="store_true", help="change the agent of that name, if there is one"
    )
    bring_in.set_defaults(run=_import, needs=OPERATE)
    _start_options(actions.add_parser("start", help="start an execution"))
    simulations.arguments(actions.add_parser("simulate", help="run it without calling anything"))
    schedules.arguments(actions.add_parser("schedule", help="when it starts by itself"))
    event_triggers.arguments(actions.add_parser("trigger", help="after what it starts by itself"))
    webhooks.arguments(actions.add_parser("webhook", help="addresses that start it from outside"))


def _start_options(start: ArgumentParser) -> None:
    start.add_argument("agent", help="the agent's id or its exact name")
    start.add_argument("--input", action="append", default=[], metavar="NAME=VALUE")
    start.add_argument("--prompt", help="the prompt of this execution only")
    start.add_argument("--version", type=int, metavar="NUMBER", help="default: the newest")
    start.add_argument("--test", action="store_true", help="take no saved inputs")
    start.add_argument("--simple", action="store_true", help="run as one model step")
    start.add_argument("--budget", metavar="USD", help="what it may cost at most")
    start.add_argument("--key", help="the same key within 24 h starts once")
    start.add_argument("--wait", action="store_true", help="wait until it ends")
    start.set_defaults(run=_start, needs=OPERATE)


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(acting.person(args).id) as session:
        rows = session.scalars(
            select(Agent).where(Agent.deleted_at.is_(None)).order_by(Agent.name, Agent.id)
        ).all()
    if args.json:
        show([{"id": str(row.id), "name": row.name, "active": row.active} for row in rows])
        return
    for row in rows:
        say(f"{row.id}  {row.name}{'' if row.active else '  (switched off)'}")


def _show(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    with db.reading(owner.id, sees_all=acting.sees_all(owner)) as session:
        agent = agents.find(session, args.agent)
        version = agents.newest(session, agent)
        document = agents.workflow_of(agent, version)
        saved = preflight.saved_inputs(session, agent.id, owner.id)
        expected = forecast(session, document, agent.id, saved)
    steps = display.workflow_steps(document, catalogue.load())
    made = version.conversion if version is not None else None
    notes = made.notes if made is not None else None
    if args.json:
        facts = {"id": agent.id, "name": agent.name, "goal": agent.goal, "active": agent.active}
        more = {"version": agent.version_number, "document": document, "workflow_steps": steps}
        more["conversion"] = notes
        show(strictjson.plain(facts | more | {"forecast": expected}))
        return
    off = "" if agent.active else "  (switched off)"
    say(f"{agent.id}  {agent.name}, version {agent.version_number}{off}")
    if agent.goal:
        say(agent.goal)
    for number, step in enumerate(steps, 1):
        say(f"{number}. {step['name']}: {step['text']}")
    if notes is not None:
        say("Written by an older builder, and read as Pilot's:")
        for note in notes:
            say(f"  {note}")
    if expected is not None:
        usually = "At most" if expected.at_most else "Usually"  # as many items as there may be
        likely = money.total(expected.likely_usd, expected.unpriced)
        rarely = money.usd(expected.rarely_usd)
        say(f"{usually} {expected.seconds:.1f} s, {likely}; rarely > {rarely}")


def _create(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    document = workflows.decode(_read(args.document)) if args.document else None
    new = NewAgent(args.name, goal=args.goal, prompt=args.prompt, origin="cli")
    saved = agents.create(new, document, owner_id=owner.id, by=acting.actor(), key=args.key)
    facts = {"agent": str(saved.agent_id), "version": saved.number}
    answer(args, facts, f"Agent {saved.agent_id}, version {saved.number}")


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFoundError(f"{name} cannot be read as text.") from error


def _export(args: Namespace) -> None:
    acting.connect()
    with db.reading(acting.person(args).id) as session:
        agent = agents.find(session, args.agent)
        text = portable.text(agent, agents.newest(session, agent))
    answer(args, {"agent": str(agent.id), "yaml": text}, text.removesuffix("\n"))


def _import(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    source = _read(args.file).encode()
    if args.dry_run:
        would = portable.preview(source, user_id=owner.id)
        found = None if would.agent_id is None else str(would.agent_id)
        facts = {"name": would.name, "agent": found, "changes": list(would.changes)}
        facts["conversion"] = list(would.conversion)
        lines = [*would.changes, *would.conversion]
        answer(args, facts, "\n".join(lines) or "Nothing would change.")
        return
    who: dict[str, Any] = {"by": acting.actor(), "user_id": owner.id}
    made = portable.bring_in(source, new_version=args.new_version, **who)
    answer(args, {"agent": str(made)}, f"Agent {made}; a new one is switched off.")


def _generate(args: Namespace) -> int:
    config = acting.connect()
    owner = acting.person(args)
    by: dict[str, Any] = {"by": acting.actor(), "user_id": owner.id}
    goal = sys.stdin.read() if args.goal == "-" else args.goal
    made = drafts.begin(goal, data=config.data, **by)
    if args.answer:
        drafts.answer(made, pairs(args.answer), data=config.data, **by)
    with db.reading(owner.id) as session:
        row = drafts.load(session, made)
    if row.document is None:
        return _open_draft(args, row)
    name = args.name or row.document.get("name") or row.goal[:60]
    agent_id = None
    if not args.draft:
        agent_id = drafts.accept(made, name, data=config.data, **by).agent_id
    _tell_draft(args, row, agent_id, config.data)
    return 0


def _open_draft(args: Namespace, row: Generation) -> int:
    """Say why there is no workflow: what is asked, or why the goal was refused."""
    if args.json:
        show({"generation": str(row.id), "questions": row.questions, "refusal": row.refusal})
        return INVALID
    if row.refusal:
        complain(row.refusal)
    for one in row.questions:
        complain(f"{one['text']} {one['why']}")
        options = " | ".join(one["options"]) or "..."
        complain(f"  --answer '{one['id']}={options}'")
    return INVALID


def _tell_draft(args: Namespace, row: Generation, agent_id: UUID | None, data: Path) -> None:
    known = surroundings.known_actions(data, row.owner_id)
    steps = display.workflow_steps(row.document, known)
    if args.json:
        show(
            {
                "generation": str(row.id),
                "agent": str(agent_id) if agent_id else None,
                "generator": row.generator,
                "cost_usd": None if row.cost_usd is None else str(row.cost_usd),
                "steps": steps,
                "document": row.document,
            }
        )
        return
    for number, step in enumerate(steps, 1):
        say(f"{number}. {step['name']}: {step['text']}")
    say(f"Agent {agent_id}" if agent_id else f"Draft {row.id}")


def _start(args: Namespace) -> int:
    setup = acting.setup(acting.connect())
    owner = acting.person(args)
    asked = starts.Start(
        mode="test" if args.test else "run",
        inputs=inputs_of(owner, args.agent, args.input, args.version),
        prompt=args.prompt,
        version=args.version,
        simple=args.simple,
        key=args.key,
        budget_usd=budgets.read(args.budget or "", "").usd,
        trigger="cli",
    )
    with db.reading(owner.id) as session:
        agent = agents.find(session, args.agent)
    execution_id = starts.start(agent.id, asked, by=acting.actor(), user_id=owner.id, setup=setup)
    if not args.wait:
        answer(args, {"execution": str(execution_id)}, f"Execution {execution_id}")
        return 0
    return _wait(args, execution_id, owner)


def _wait(args: Namespace, execution_id: UUID, owner: SessionUser) -> int:
    """Wait until the execution ends or needs a person that this command cannot be."""
    facts = results.awaited(lambda: db.reading(owner.id), execution_id)
    if args.json:
        show(strictjson.plain(facts | {"execution": facts["execution_id"]}))
    else:
        say(f"Execution {execution_id}: {facts['status'].replace('_', ' ')}")
        if facts["error"]:
            complain(str(facts["error"].get("message", facts["error"])))
    return 0 if facts["status"] == ExecutionStatus.COMPLETED else NOT_COMPLETED
