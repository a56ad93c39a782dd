"""Settings: list them, show or change one, store the defaults of those that have no value yet."""

from argparse import ArgumentParser, Namespace

from pilot import db, settings
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.errors import NotFoundError
from pilot.settings.definitions import Definition


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list all settings with their values")
    listing.set_defaults(run=_list)
    get = actions.add_parser("get", help="show one with its default and what it does")
    get.add_argument("key")
    get.set_defaults(run=_get)
    init = actions.add_parser("init", help="store the defaults that are missing, and print all")
    init.set_defaults(run=_init)
    change = actions.add_parser("set", help="change one; several models with commas between")
    change.add_argument("key")
    change.add_argument("value")
    change.set_defaults(run=_set)


def _list(args: Namespace) -> None:
    acting.connect()
    values = _values()
    if args.json:
        show(values)
        return
    _say(values)


def _get(args: Namespace) -> None:
    acting.connect()
    definition = _definition(args.key)
    value = _values()[args.key]
    facts = {"key": args.key, "value": value, "default": definition.default}
    text = (
        f"{args.key}: {definition.words(value)} (default: {definition.words(definition.default)})"
    )
    answer(args, facts | {"help": definition.help}, f"{text}\n{definition.help}".rstrip())


def _definition(key: str) -> Definition:
    found = settings.SETTINGS.get(key)
    if found is None:
        raise NotFoundError(f"There is no setting {key!r}: pilot setting list names them.")
    return found


def _init(args: Namespace) -> None:
    acting.connect()
    written = settings.initialise(by=acting.actor())
    values = _values()
    if args.json:
        show({"written": written, "settings": values})
        return
    say(f"Defaults stored now: {len(written)}.")
    _say(values)


def _set(args: Namespace) -> None:
    acting.connect()
    definition = _definition(args.key)
    settings.change(args.key, definition.parsed(args.value), by=acting.actor())
    value = _values()[args.key]
    answer(args, {args.key: value}, f"{args.key}: {definition.words(value)}")


def _values() -> settings.Values:
    with db.reading(None) as session:
        return settings.snapshot(session)[0]


def _say(values: settings.Values) -> None:
    for key, value in values.items():
        say(f"{key:<32} {settings.SETTINGS[key].words(value)}")
