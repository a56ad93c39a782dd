"""Run everything on this machine: PostgreSQL, Valkey, web and worker, until Ctrl+C."""

from argparse import ArgumentParser, Namespace

from pilot.cli.terminal import say
from pilot.config import Config
from pilot.services import up


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(_args: Namespace) -> None:
    up.run(Config.from_env(), say)
