"""Tokens of programs: make one (shown once), list them, revoke one."""

from argparse import ArgumentParser, Namespace
from uuid import UUID

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.agents import agents
from pilot.engine.people import api_tokens
from pilot.engine.people.api_tokens import DAYS, KINDS, NewToken, Scope
from pilot.engine.people.levels import VIEW


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token; its text is shown this once")
    create.add_argument("label", help="what it is for")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=[str(one) for one in Scope],
        help="what it may do; several times for several scopes",
    )
    create.add_argument("--days", type=int, default=DAYS, help="how long it lives (default: 90)")
    create.add_argument("--kind", choices=KINDS, default=KINDS[0], help="who will use it")
    create.add_argument("--agent", action="append", help="only this agent; several times for more")
    create.set_defaults(run=_create, needs=VIEW)
    listing = actions.add_parser("list", help="list the person's tokens; never their texts")
    listing.set_defaults(run=_list, needs=VIEW)
    revoke = actions.add_parser("revoke", help="end a token now")
    revoke.add_argument("token", type=UUID, help="its id, as list shows it")
    revoke.set_defaults(run=_revoke, needs=VIEW)


def _create(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    chosen = None
    if args.agent:
        with db.reading(owner.id) as session:
            chosen = [agents.find(session, one).id for one in args.agent]
    new = NewToken(args.label, args.scope, args.days, args.kind, chosen)
    made = api_tokens.create(new, owner_id=owner.id, by=acting.actor())
    answer(args, {"id": str(made.id), "token": made.token}, made.token)


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(acting.person(args).id) as session:
        rows = api_tokens.listed(session)
    if args.json:
        names = ("id", "label", "kind", "scopes", "expires_at", "revoked_at", "used_at")
        show(strictjson.plain([{name: getattr(row, name) for name in names} for row in rows]))
        return
    for row in rows:
        ended = "revoked" if row.revoked_at else f"until {row.expires_at:%Y-%m-%d}"
        used = f"used {row.used_at:%Y-%m-%d %H:%M}Z" if row.used_at else "never used"
        say(f"{row.id}  {row.label}  {', '.join(row.scopes)}  {ended}, {used}")


def _revoke(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    everybody = acting.sees_all(owner)
    api_tokens.revoke(args.token, owner_id=owner.id, by=acting.actor(), sees_all=everybody)
    answer(args, {"id": str(args.token), "revoked": True}, "Revoked: it opens nothing any more.")
