"""Sealed secrets: seal them anew after a newer secret key was put before the old one."""

from argparse import ArgumentParser, Namespace

from pilot.cli import acting
from pilot.cli.terminal import answer
from pilot.engine import provider_keys


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    rotate = actions.add_parser("rotate", help="seal everything with the newest key")
    rotate.set_defaults(run=_rotate)


def _rotate(args: Namespace) -> None:
    acting.connect()
    count = provider_keys.rotate_keys(by=acting.actor())
    answer(args, {"sealed": count}, f"Sealed with the newest key now: {count} more secrets.")
