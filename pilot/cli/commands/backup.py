"""Write the whole installation into one file, while workers run: database, files, anchors.

The secret keys are not in it.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from pilot.cli import acting
from pilot.cli.terminal import answer, end_in_order
from pilot.config import KEYS_FILE
from pilot.engine.upkeep import anchors
from pilot.services import backup


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", type=Path, help="the new file; its folder needs room for twice it")
    parser.set_defaults(run=_run)


def _run(args: Namespace) -> None:
    end_in_order()
    config = acting.connect()
    made = backup.make(config, args.file.absolute(), by=acting.actor())
    facts = {
        "file": str(made.path),
        "id": made.manifest.id,
        "made_at": made.manifest.made_at,
        "size_bytes": made.size_bytes,
        "files": made.files,
        "secret_keys": made.manifest.secret_keys,
    }
    told = (
        f"{made.path}: {made.size_bytes:,} bytes, the database as of {made.manifest.made_at} and "
        f"{made.files:,} files.\n"
        f"Keys are NOT in it. Keep copies of {config.data / KEYS_FILE} (or PILOT_SECRET_KEYS) and "
        f"{config.data / anchors.KEY_FILE} elsewhere: without the first, stored keys and passwords "
        "of providers and connections cannot be opened after a restore."
    )
    answer(args, facts, told)
