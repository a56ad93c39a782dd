"""`pilot agent webhook`: addresses that start an agent from outside."""

from argparse import ArgumentParser, Namespace
from typing import Any
from uuid import UUID

from pilot import db, strictjson
from pilot.cli import acting, schedules
from pilot.cli.terminal import answer, say, show
from pilot.engine.agents import agents
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.triggers import hooks


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make one; writes its address and its secret, once")
    create.add_argument("--bearer", action="store_true", help="senders send the secret itself")
    create.add_argument("--match", help="a condition, such as \"payload.type == 'order.paid'\"")
    create.add_argument("--inputs", metavar="JSON", help="templates over payload")
    create.set_defaults(run=_create, needs=OPERATE)
    listing = actions.add_parser("list", help="list them")
    listing.set_defaults(run=_list, needs=VIEW)
    came = actions.add_parser("deliveries", help="list what came in, and what became of it")
    came.set_defaults(run=_deliveries, needs=VIEW)
    for one in (create, listing, came):
        one.add_argument("agent", help="the agent's id or its exact name")
    for name, text in (
        ("rotate", "make a new secret and write it, once"),
        ("on", "switch one on"),
        ("off", "switch one off"),
        ("delete", "forget one"),
    ):
        act = actions.add_parser(name, help=text)
        act.add_argument("agent", help="the agent's id or its exact name")
        act.add_argument("webhook", type=UUID, help="its id")
        act.set_defaults(run=_act, needs=OPERATE, act=name)


def _agent(args: Namespace, user_id: UUID) -> UUID:
    with db.reading(user_id) as session:
        return agents.find(session, args.agent).id


def _create(args: Namespace) -> None:
    url = acting.connect().url
    who = acting.person(args)
    agent_id = _agent(args, who.id)
    shape = hooks.Shape(args.bearer, args.match, schedules.inputs_of(args))
    made = hooks.create(agent_id, shape, by=acting.actor(), user_id=who.id)
    _tell_secret(args, url, agent_id, made, who.id)


def _tell_secret(
    args: Namespace, url: str, agent_id: UUID, made: hooks.Made, user_id: UUID
) -> None:
    with db.reading(user_id) as session:
        told = hooks.told(hooks.find(session, agent_id, made.id), url)
    words = f"{made.id}  {told['url']}\nIts secret, shown this once: {made.secret}"
    answer(args, strictjson.plain(told | {"secret": made.secret}), words)


def _list(args: Namespace) -> None:
    url = acting.connect().url
    who = acting.person(args)
    agent_id = _agent(args, who.id)
    with db.reading(who.id) as session:
        told = [hooks.told(row, url) for row in hooks.listed(session, agent_id)]
    if args.json:
        show(strictjson.plain(told))
        return
    for one in told:
        say(f"{one['id']}  {one['url']}{'' if one['active'] else '  (switched off)'}")
    say(f"{len(told)} webhooks")


def _deliveries(args: Namespace) -> None:
    acting.connect()
    who = acting.person(args)
    agent_id = _agent(args, who.id)
    with db.reading(who.id) as session:
        told = [hooks.came(row) for row in hooks.deliveries(session, agent_id)]
    if args.json:
        show(strictjson.plain(told))
        return
    for one in told:
        became = one["execution_id"] or one["reason"]
        say(f"{one['at']:%Y-%m-%d %H:%M:%S} UTC  {one['status']}  {one['message_id']}  {became}")
    say(f"{len(told)} deliveries")


def _act(args: Namespace) -> None:
    url = acting.connect().url
    person = acting.person(args)
    agent_id = _agent(args, person.id)
    who: dict[str, Any] = {"by": acting.actor(), "user_id": person.id}
    if args.act == "rotate":
        made = hooks.rotate(agent_id, args.webhook, **who)
        _tell_secret(args, url, agent_id, made, person.id)
        return
    if args.act == "delete":
        hooks.delete(agent_id, args.webhook, **who)
    else:
        hooks.set_active(agent_id, args.webhook, args.act == "on", **who)
    told = {"on": "Switched on.", "off": "Switched off.", "delete": "Deleted."}[args.act]
    answer(args, {"id": str(args.webhook), "done": args.act}, told)
