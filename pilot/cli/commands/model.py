"""Models: add one of a provider, switch one on or off; `pilot prices list` lists them."""

from argparse import ArgumentParser, Namespace

from pilot.cli import acting
from pilot.cli.terminal import answer
from pilot.engine.providers import model_catalogue, own_models
from pilot.engine.providers.own_models import NewModel

SWITCHES = ("strict_schema", "json_mode", "tools")


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add a model; give it a price with pilot prices add")
    add.add_argument("model", help="its id, as people choose it")
    add.add_argument("--provider", required=True)
    add.add_argument("--name", help="as it is sent (default: the id)")
    add.add_argument("--label", help="how pages call it (default: the id)")
    add.add_argument("--tier", choices=own_models.TIERS, required=True)
    add.add_argument("--window", type=int, required=True, help="tokens that it can hold")
    add.add_argument("--max-output", type=int, required=True, help="tokens that it can answer")
    for name in SWITCHES:
        add.add_argument(f"--{name.replace('_', '-')}", action="store_true", help="it can do this")
    add.set_defaults(run=_add)
    for name, enabled in (("on", True), ("off", False)):
        switch = actions.add_parser(name, help=f"switch a model {name}")
        switch.add_argument("model")
        switch.set_defaults(run=_switch, enabled=enabled)


def _add(args: Namespace) -> None:
    acting.connect()
    new = NewModel(
        args.model,
        args.provider,
        args.name or args.model,
        args.label or args.model,
        args.tier,
        args.window,
        args.max_output,
        {name: True for name in SWITCHES if getattr(args, name)},
    )
    own_models.add_model(new, by=acting.actor())
    answer(args, {"model": args.model}, f"{args.model} is added, without a price yet.")


def _switch(args: Namespace) -> None:
    acting.connect()
    model_catalogue.set_enabled(args.model, args.enabled, by=acting.actor())
    word = "on" if args.enabled else "off"
    answer(args, {"model": args.model, "enabled": args.enabled}, f"{args.model} is {word}.")
