"""`pilot agent trigger`: events of Pilot's own that start an agent."""

from argparse import ArgumentParser, Namespace
from uuid import UUID

from pilot import db, strictjson
from pilot.cli import acting, schedules
from pilot.cli.terminal import answer, say, show
from pilot.engine.agents import agents
from pilot.engine.triggers import event_triggers
from pilot.engine.triggers.event_triggers import EVENTS, Following

STATUSES = tuple(dict.fromkeys(one for known in EVENTS.values() for one in known))


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list what an agent follows")
    listing.add_argument("agent", help="the agent's id or its exact name")
    listing.set_defaults(run=_list)
    create = actions.add_parser("create", help="let an agent follow an event")
    create.add_argument("agent", help="the agent's id or its exact name")
    create.add_argument("--event", choices=tuple(EVENTS), default="execution_finished")
    create.add_argument("--of", metavar="AGENT", help="of this agent (default: of any other)")
    create.add_argument("--status", action="append", choices=STATUSES, help="only with this one")
    create.add_argument("--match", help="a condition, such as \"payload.mode == 'run'\"")
    create.add_argument("--inputs", metavar="JSON", help="templates over payload")
    create.set_defaults(run=_create)
    schedules.switches(actions, "trigger")


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(acting.person(args).id) as session:
        agent = agents.find(session, args.agent)
        rows = event_triggers.listed(session, agent.id)
        told = [event_triggers.told(session, one) for one in rows]
    if args.json:
        show(strictjson.plain(told))
        return
    for one in told:
        say(f"{one['id']}  {one['in_words']}{'' if one['active'] else '  (switched off)'}")
    say(f"{len(told)} triggers")


def _create(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    with db.reading(who.id) as session:
        agent = agents.find(session, args.agent)
        about: UUID | None = agents.find(session, args.of).id if args.of else None
    inputs = schedules.inputs_of(args)
    following = Following(args.event, about, args.status, args.match, inputs)
    made = event_triggers.create(agent.id, following, by=acting.actor(), user_id=who.id)
    with db.reading(who.id) as session:
        told = event_triggers.told(session, event_triggers.find(session, made, agent.id))
    answer(args, strictjson.plain(told), f"{made}  {told['in_words']}")
