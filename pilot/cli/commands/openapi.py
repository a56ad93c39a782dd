"""The description of the REST API, as OpenAPI 3.1."""

from argparse import ArgumentParser, Namespace

from pilot.api import described
from pilot.cli import acting
from pilot.cli.terminal import show
from pilot.engine.people.levels import VIEW
from pilot.web import create_app


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(run=_run, needs=VIEW)


def _run(_args: Namespace) -> None:
    app = create_app(acting.connect())
    with app.app_context():
        show(described.describe())
