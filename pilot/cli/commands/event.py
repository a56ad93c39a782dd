"""Events from outside: send one to the steps that wait for it."""

from argparse import ArgumentParser, Namespace

from pilot import strictjson
from pilot.cli import acting
from pilot.cli.terminal import say, show
from pilot.engine.people.levels import OPERATE
from pilot.engine.waits import events
from pilot.errors import BadJsonError, InvalidError, Issue


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    send = actions.add_parser("send", help="resolve what waits for it, or keep it for 24 hours")
    send.add_argument("name", help="its name, such as order.paid")
    send.add_argument("--payload", default="null", metavar="JSON")
    send.add_argument("--source", default="cli", help="where it comes from (default: cli)")
    send.add_argument("--id", help="the same id of the same source counts once")
    send.set_defaults(run=_send, needs=OPERATE)


def _send(args: Namespace) -> None:
    acting.connect()
    try:
        payload = strictjson.loads(args.payload)
    except BadJsonError as error:
        told = f"--payload is one JSON value, a text in quotes: {error.message}"
        raise InvalidError([Issue("payload", "/payload", told)]) from None
    sent = events.Sent(args.name, payload, args.source, args.id)
    person = acting.person(args)
    answer = events.send(sent, by=acting.actor(), user_id=person.id)
    if args.json:
        facts = {"id": answer.id, "repeated": answer.repeated, "kept": answer.kept}
        show(strictjson.plain(facts | {"resolved": answer.resolved}))
        return
    for one in answer.resolved:
        say(f"{one['execution_id']}: {one['path']} goes on.")
    if answer.repeated:
        say("It came before: nothing happened.")
    elif answer.kept:
        say("Nothing waits for it; it is kept for 24 hours.")
