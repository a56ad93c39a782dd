"""Which version this is, and which migration of the database it needs."""

import platform
from argparse import ArgumentParser, Namespace
from importlib import metadata

from pilot.cli.terminal import answer
from pilot.engine.people.levels import VIEW
from pilot.services import schema


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run, needs=VIEW)


def _run(args: Namespace) -> None:
    facts = {
        "version": metadata.version("pilot"),
        "migration": schema.head(),
        "python": platform.python_version(),
    }
    text = f"Pilot {facts['version']}, migration {facts['migration']}, Python {facts['python']}"
    answer(args, facts, text)
