"""Run a worker in this terminal until it is stopped."""

from argparse import ArgumentParser, Namespace

from pilot import vault, worker
from pilot.config import Config, read_secret_keys


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run)


def _run(_: Namespace) -> int:
    config = Config.from_env()
    vault.configure(config.secret_keys, lambda: read_secret_keys(config.data))
    return worker.main(config)
