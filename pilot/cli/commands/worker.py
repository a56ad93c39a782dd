"""Run a worker in this terminal until it is stopped."""

from argparse import ArgumentParser, Namespace

from pilot import worker
from pilot.config import Config


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(_: Namespace) -> int:
    return worker.main(Config.from_env())
