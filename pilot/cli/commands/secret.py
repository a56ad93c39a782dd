"""Secrets that workflows name as {{secret:NAME}}: set one, list them, delete one."""

import getpass
import sys
from argparse import ArgumentParser, Namespace

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.people.levels import OPERATE
from pilot.engine.secrets import secret_handles


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    put = actions.add_parser("set", help="store a secret, read from standard input")
    put.add_argument("name", help="its name; one of that name is replaced")
    put.add_argument(
        "--host",
        action="append",
        required=True,
        help="a host that may get it, such as api.example.com; several times for more",
    )
    put.set_defaults(run=_set, needs=OPERATE)
    listing = actions.add_parser("list", help="list the person's secrets; never their values")
    listing.set_defaults(run=_list, needs=OPERATE)
    delete = actions.add_parser("delete", help="forget a secret")
    delete.add_argument("name")
    delete.set_defaults(run=_delete, needs=OPERATE)


def _set(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    value = getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.read()
    secret_handles.put(args.name, value, args.host, by=acting.actor(), user_id=owner.id)
    answer(args, {"secret": args.name}, f"{args.name} is stored, sealed.")


def _list(args: Namespace) -> None:
    acting.connect()
    owner = acting.person(args)
    with db.reading(owner.id) as session:
        rows = secret_handles.listed(session, owner.id)
    if args.json:
        told = [{"name": row.name, "hosts": row.hosts, "set_at": row.set_at} for row in rows]
        show(strictjson.plain(told))
        return
    for row in rows:
        say(f"{row.name}  for {', '.join(row.hosts)}  set {row.set_at:%Y-%m-%d %H:%M}Z")


def _delete(args: Namespace) -> None:
    acting.connect()
    secret_handles.delete(args.name, by=acting.actor(), user_id=acting.person(args).id)
    answer(args, {"secret": args.name, "deleted": True}, f"{args.name} is forgotten.")
