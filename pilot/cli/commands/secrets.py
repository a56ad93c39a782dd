"""Sealed secrets: seal them anew after a newer secret key was put before the old one."""

from argparse import ArgumentParser, Namespace

from pilot.cli import acting
from pilot.cli.terminal import answer
from pilot.engine.secrets import sealed


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    rotate = actions.add_parser("rotate", help="seal everything with the newest key")
    rotate.set_defaults(run=_rotate)


def _rotate(args: Namespace) -> None:
    acting.connect()
    done = sealed.rotate(by=acting.actor())
    listed = ", ".join(f"{count} of {table}" for table, count in done.items() if count) or "none"
    told = (
        f"Sealed with the newest key now: {listed}. The older keys open nothing more of this "
        "database: take them away, but keep them for the backups of before."
    )
    answer(args, {"sealed": sum(done.values()), "tables": done}, told)
