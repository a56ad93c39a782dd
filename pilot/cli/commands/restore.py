"""Restore a backup into an installation that nobody uses yet, while Pilot is stopped.

Executions go on under their old keys. Those with a step that is never repeated, in flight or still
to come, wait for a person: it may have happened after the backup.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pilot import logs, vault
from pilot.cli import acting
from pilot.cli.terminal import answer, complain, confirmed, end_in_order
from pilot.config import Config
from pilot.services import restore

FAILED = 1


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, help="a file that pilot backup made")
    parser.add_argument("--check", action="store_true", help="only read it and say what it is")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> int:
    end_in_order()
    logs.configure()
    config = Config.from_env()
    vault.configure(config.secret_keys)
    found = restore.check(config, args.file)
    about = f"{args.file}: a backup of {found.manifest.made_at}, schema {found.manifest.schema}"
    if args.check:
        _tell(args, found, f"{about}, {found.files:,} files. It is whole.")
        return 0
    if not confirmed(f"{about}. Restore it into {config.data}?", yes=args.yes):
        return FAILED
    found = restore.restore(config, args.file, by=acting.actor())
    settled = found.settled
    _tell(
        args,
        found,
        f"Restored what was there at {found.manifest.made_at}: {found.files:,} files, "
        f"{found.records:,} audit records.\n"
        f"Executions that go on: {settled.going_on}. That wait for a person, because a step may "
        f"have happened since: {settled.held_back}. Messages that go out, and may have gone out "
        f"since: {settled.messages}. What was to start agents since the backup is "
        "skipped: start what did not. Everybody has to sign in again; look at API tokens: one that "
        "was revoked since the backup works again.\n"
        "Start Pilot with make run (or pilot up).",
    )
    return 0


def _tell(args: Namespace, found: restore.Restored, told: str) -> None:
    facts = {
        "id": found.manifest.id,
        "made_at": found.manifest.made_at,
        "schema": found.manifest.schema,
        "files": found.files,
        "records": found.records,
        **vars(found.settled),
        "warnings": found.warnings,
    }
    answer(args, facts, told)
    if not args.json:
        for warning in found.warnings:
            complain(warning)
