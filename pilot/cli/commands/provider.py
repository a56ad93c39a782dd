"""Providers of models: list them, add one, set or remove a key, change where one is."""

import getpass
import sys
from argparse import ArgumentParser, Namespace

from sqlalchemy import select

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.providers import own_models, provider_keys
from pilot.engine.providers.own_models import NewProvider
from pilot.models.provider import Provider


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the providers, and which have a key")
    listing.set_defaults(run=_list)
    add = actions.add_parser("add", help="add a server that speaks a known protocol")
    add.add_argument("provider", help="its name")
    add.add_argument("--base-url", required=True, help="such as http://localhost:11434/v1")
    add.add_argument("--label", help="how pages call it (default: its name)")
    add.add_argument("--adapter", choices=own_models.ADAPTERS, default="openai")
    add.add_argument("--keyless", action="store_true", help="it asks for no key")
    add.set_defaults(run=_add)
    set_key = actions.add_parser("set-key", help="store a key, read from standard input")
    set_key.add_argument("provider", help="its name, such as openai")
    set_key.set_defaults(run=_set_key)
    remove = actions.add_parser("remove-key", help="forget a key")
    remove.add_argument("provider")
    remove.set_defaults(run=_remove_key)
    change = actions.add_parser(
        "change", help="change address or switch; a new address needs a key"
    )
    change.add_argument("provider")
    change.add_argument("--base-url", help="where its API is")
    change.add_argument("--organisation", help="the organisation that is billed")
    change.add_argument("--project", help="the project that is billed")
    switch = change.add_mutually_exclusive_group()
    switch.add_argument("--on", dest="enabled", action="store_true", default=None)
    switch.add_argument("--off", dest="enabled", action="store_false", default=None)
    change.set_defaults(run=_change)


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(None) as session:
        rows = session.scalars(select(Provider).order_by(Provider.name)).all()
    if args.json:
        show(
            [
                {
                    "name": row.name,
                    "adapter": row.adapter,
                    "base_url": row.base_url,
                    "enabled": row.enabled,
                    "key_ending": row.key_ending,
                    "key_set_at": strictjson.plain(row.key_set_at),
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        key = f"key ...{row.key_ending}" if row.key_ending else "no key"
        say(f"{row.name:<12} {key:<12} {row.base_url}{'' if row.enabled else '  (switched off)'}")


def _add(args: Namespace) -> None:
    acting.connect()
    label = args.label or args.provider
    new = NewProvider(args.provider, label, args.base_url, args.adapter, args.keyless)
    own_models.add_provider(new, by=acting.actor())
    hint = "" if args.keyless else f" Give it a key: pilot provider set-key {args.provider}"
    answer(args, {"provider": args.provider}, f"{args.provider} is added.{hint}")


def _set_key(args: Namespace) -> None:
    acting.connect()
    key = getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.read()
    provider_keys.set_key(args.provider, key, by=acting.actor())
    answer(args, {"provider": args.provider}, f"The key of {args.provider} is stored, sealed.")


def _remove_key(args: Namespace) -> None:
    acting.connect()
    provider_keys.remove_key(args.provider, by=acting.actor())
    answer(args, {"provider": args.provider}, f"The key of {args.provider} is forgotten.")


def _change(args: Namespace) -> None:
    acting.connect()
    given = {name: getattr(args, name) for name in provider_keys.CHANGEABLE}
    told = {name: value for name, value in given.items() if value is not None}
    provider_keys.change(args.provider, told, by=acting.actor())
    answer(args, {"provider": args.provider}, f"{args.provider} is changed.")
