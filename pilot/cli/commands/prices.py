"""What models cost: list the catalogue, add a price, write what this version brings along."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pilot import db, strictjson
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine.providers import model_catalogue
from pilot.engine.providers.model_catalogue import Entry, NewPrice
from pilot.errors import InvalidError, Issue
from pilot.llm import prices

HELP = {
    "long_from": "above so many input tokens all tokens cost the long prices",
    "cache_read": "default: the input price",
}


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list all models with their prices of today")
    listing.add_argument("model", nargs="?", help="all prices of this model, the newest first")
    listing.set_defaults(run=_list)
    init = actions.add_parser("init", help="write models and prices that are missing; keeps yours")
    init.set_defaults(run=_init)
    add = actions.add_parser("add", help="add a price in USD per million tokens; none is edited")
    add.add_argument("model", help="the model's id")
    for name in prices.FIELDS:
        add.add_argument(f"--{name.replace('_', '-')}", metavar="N", help=HELP.get(name))
    add.add_argument("--from", dest="valid_from", metavar="DATE", help="counts from (default: now)")
    add.add_argument("--source", required=True, help="where the numbers are from")
    add.add_argument("--checked-on", metavar="DATE", help="when they were looked up (today)")
    add.add_argument("--free", action="store_true", help="the model costs nothing")
    add.set_defaults(run=_add)


def _list(args: Namespace) -> None:
    acting.connect()
    with db.reading(None) as session:
        if args.model:
            rows = model_catalogue.history(session, args.model)
            found = [_priced(row) | {"author": row.author} for row in rows]
            lines = [
                f"{one['valid_from']:%Y-%m-%d %H:%M}  {_line(one)}  {one['author']}"
                for one in found
            ]
        else:
            entries = model_catalogue.entries(session).values()
            found = [_listed(entry) for entry in entries]
            lines = [_model_line(entry, one) for entry, one in zip(entries, found, strict=True)]
    if args.json:
        show(strictjson.plain(found))
        return
    for line in lines:
        say(line)


def _init(args: Namespace) -> None:
    acting.connect()
    with db.transaction("prices.init", None) as session:
        made = model_catalogue.initialise(session)
        known = [_listed(entry) for entry in model_catalogue.entries(session).values()]
    if args.json:
        show(strictjson.plain({"new": vars(made), "models": known}))
        return
    say(f"New: {made.providers} providers, {made.models} models, {made.prices} prices.")
    for one in known:
        say(f"{one['id']:<28} {_line(one)}")


def _add(args: Namespace) -> None:
    acting.connect()
    numbers = {name: getattr(args, name) for name in prices.FIELDS}
    if args.free:
        numbers |= {"input": numbers["input"] or 0, "output": numbers["output"] or 0}
    begins = _date(args.valid_from, "from")
    checked = _date(args.checked_on, "checked-on")
    new = NewPrice(
        numbers,
        args.source,
        valid_from=None if begins is None else datetime.combine(begins, datetime.min.time(), UTC),
        checked_on=checked,
        free=args.free,
    )
    row_id = model_catalogue.add_price(args.model, new, by=acting.actor())
    since = f"from {begins}" if begins else "from now on"
    answer(args, {"id": str(row_id)}, f"{args.model} has this price {since}.")


def _date(text: str | None, name: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"--{name} {text!r} is no date such as 2027-01-31."
        raise InvalidError([Issue("date", f"/{name}", message, "YYYY-MM-DD")]) from None


def _listed(entry: Entry) -> dict[str, Any]:
    skipped, retired_on = entry.skipped, entry.model.retired_on
    return {
        "id": entry.id,
        "provider": entry.provider.name,
        "tier": entry.model.tier,
        "retired_on": None if retired_on is None else retired_on.isoformat(),
        "replaced_by": entry.model.replaced_by,
        "not_asked": None if skipped is None else skipped[1],
        **(_priced(entry.price) if entry.price else dict.fromkeys(("valid_from", "input"))),
    }


def _priced(row: Any) -> dict[str, Any]:
    numbers = {name: getattr(row, name) for name in prices.FIELDS}
    return {
        "valid_from": row.valid_from.astimezone(UTC),
        **{name: _shown(value) for name, value in numbers.items()},
        "source": row.source,
        "checked_on": row.checked_on.isoformat(),
    }


def _shown(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _line(one: dict[str, Any]) -> str:
    if one["input"] is None:
        return "unpriced"
    read = one["cache_read"] or one["input"]
    text = f"${one['input']} in, ${one['output']} out, ${read} from the cache"
    if one["long_from"]:
        text += f"; above {one['long_from']:,}: ${one['long_input']} in, ${one['long_output']} out"
    return text


def _model_line(entry: Entry, one: dict[str, Any]) -> str:
    note = f"  ({entry.skipped[1]})" if entry.skipped else ""
    return f"{entry.id:<28} {entry.model.tier:<9} {_line(one)}{note}"
