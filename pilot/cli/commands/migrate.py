"""Bring the database to the newest schema, or print the roles that a foreign server needs."""

from argparse import ArgumentParser, Namespace

from pilot.cli.terminal import answer, say
from pilot.config import Config
from pilot.services import schema


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--roles", action="store_true", help="print the SQL that its superuser runs once"
    )
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> None:
    if args.roles:
        say(schema.ROLES)
        return
    url = Config.from_env().database_url
    schema.check_server(url)
    before = schema.revision(url)
    schema.migrate(url)
    schema.check_row_security(url)
    after = schema.revision(url)
    change = f"from {before or 'empty'} to {after}" if before != after else f"at {after} already"
    answer(args, {"before": before, "after": after}, f"The database is {change}.")
