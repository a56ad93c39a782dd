"""`pilot agent trigger`: events of Pilot's own that start an agent."""

from argparse import ArgumentParser, Namespace
from uuid import UUID

from pilot import db, strictjson
from pilot.cli import acting, schedules
from pilot.cli.terminal import answer, say, show
from pilot.engine.agents import agents
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.triggers import event_triggers, triggers
from pilot.engine.triggers.event_triggers import EVENTS, Following

STATUSES = tuple(dict.fromkeys(one for known in EVENTS.values() for one in known))


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list what an agent follows")
    listing.add_argument("agent", help="the agent's id or its exact name")
    listing.set_defaults(run=_list, needs=VIEW)
    create = actions.add_parser("create", help="let an agent follow an event")
    create.add_argument("agent", help="the agent's id or its exact name")
    _options(create)
    create.set_defaults(run=_create, needs=OPERATE)
    change = actions.add_parser("change", help="change one; what is not named stays")
    change.add_argument("trigger", type=UUID, help="its id")
    _options(change)
    change.set_defaults(run=_change, needs=OPERATE)
    schedules.switches(actions, "trigger")


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--event", choices=tuple(EVENTS), help="(default: execution_finished)")
    parser.add_argument("--of", metavar="AGENT", help="of this agent (default: of any other)")
    parser.add_argument("--status", action="append", choices=STATUSES, help="only with this one")
    parser.add_argument("--match", help="a condition, such as \"payload.mode == 'run'\"")
    parser.add_argument("--inputs", metavar="JSON", help="templates over payload")


def _following(args: Namespace, before: Following, user_id: UUID) -> Following:
    """Return what is followed, with what was named in place of what was before."""
    with db.reading(user_id) as session:
        about = agents.find(session, args.of).id if args.of else before.about_agent_id
    same_event = args.event in {None, before.event}
    return Following(
        args.event or before.event,
        about,
        args.status or (before.statuses if same_event else None),
        before.match if args.match is None else args.match or None,
        schedules.inputs_of(args) if args.inputs else before.inputs,
    )


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
    following = _following(args, Following("execution_finished"), who.id)
    made = event_triggers.create(agent.id, following, by=acting.actor(), user_id=who.id)
    _tell(args, made, agent.id, who.id)


def _change(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    with db.reading(who.id) as session:
        row = triggers.find(session, args.trigger)
        event_triggers.find(session, row.id, row.agent_id)
    before = Following(**{name: getattr(row, name) for name in Following.__dataclass_fields__})
    following = _following(args, before, who.id)
    by = acting.actor()
    event_triggers.change(row.id, row.agent_id, following, seen=row.version, by=by, user_id=who.id)
    _tell(args, row.id, row.agent_id, who.id)


def _tell(args: Namespace, trigger_id: UUID, agent_id: UUID, user_id: UUID) -> None:
    with db.reading(user_id) as session:
        told = event_triggers.told(session, event_triggers.find(session, trigger_id, agent_id))
    answer(args, strictjson.plain(told), f"{trigger_id}  {told['in_words']}")
