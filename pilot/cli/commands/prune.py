"""Delete what the settings keep no longer, as workers do daily.

How long each kind is kept: settings, group Retention.
"""

from argparse import ArgumentParser, Namespace

from pilot.cli import acting
from pilot.cli.terminal import answer
from pilot.engine.upkeep import retention


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--dry-run", action="store_true", help="only say how much would go")
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> None:
    acting.connect()
    gone = retention.due() if args.dry_run else retention.prune(by=acting.actor())
    listed = ", ".join(f"{count:,} {name}" for name, count in gone.items())
    answer(args, gone, f"{'Would go' if args.dry_run else 'Pruned'}: {listed}.")
