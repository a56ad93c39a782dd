"""Run a worker in this terminal until it is stopped."""

from argparse import ArgumentParser, Namespace

from pilot import vault, worker
from pilot.config import Config


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(_: Namespace) -> int:
    config = Config.from_env()
    vault.configure(config.secret_keys)
    return worker.main(config)
