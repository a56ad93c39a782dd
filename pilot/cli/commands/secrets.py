"""Sealed secrets: seal them anew after a newer secret key was put before the old one.

Processes that run read the new key from the key file. Those that have their keys from
PILOT_SECRET_KEYS, or a key file on another machine, need both keys and a restart before.
"""

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
        f"Sealed with the newest key now: {listed}. Processes that run go on sealing with the key "
        "they began with: restart Pilot, every web server and worker, and run this again. Take the "
        "older keys away only then, but keep them for the backups of before."
    )
    answer(args, {"sealed": sum(done.values()), "tables": done}, told)
