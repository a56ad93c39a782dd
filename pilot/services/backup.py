"""`pilot backup`: one file with the whole installation but its keys, while workers run.

The order makes it consistent: first the anchors of the audit trail, which never say more than the
database; then the database, as of one moment; then the files of actions, which may know effects
that the database does not know yet: those are made again under the same keys, and count once.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pilot import audit, db
from pilot.audit import Actor, Event
from pilot.config import Config
from pilot.engine.upkeep import anchors
from pilot.engine.worker.liveness import VERSION
from pilot.errors import ConfigError, ConflictError
from pilot.failpoints import failpoint
from pilot.services import archive, binaries, postgres, schema

USERS = "users"  # the folder of tables and mailboxes


@dataclass(frozen=True)
class Made:
    """What was made."""

    path: Path
    size_bytes: int
    files: int  # beside the database
    manifest: archive.Manifest


def make(config: Config, path: Path, *, by: Actor) -> Made:
    """Write a backup to a new file, readable by its owner only.

    Raises:
        ConflictError: the file is there already.
        ConfigError: it cannot be written, or the database does not answer or is too new.
    """
    if path.exists():
        raise ConflictError(f"{path} is there already: choose another name.")
    major = _major(config.database_url)
    try:
        writer = archive.Writer(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as scratch:
            made = _fill(config, writer, Path(scratch), major)
    except OSError as error:  # of this file, or of one that it takes over
        told = f"{error.filename or path} cannot be used: {error.strerror or error}."
        raise ConfigError(f"There is no backup: {told}") from error
    finally:
        writer.abandon()
    _record(made, by)
    return made


def _major(url: str) -> int:
    with schema.connect(url) as connection:
        major = connection.info.server_version // 10_000
    if major > binaries.postgres_major():
        raise ConfigError(
            f"The database is PostgreSQL {major}, the programs that Pilot brings are of "
            f"{binaries.postgres_major()}: update Pilot, or use pg_dump of that server."
        )
    return major


def _fill(config: Config, writer: archive.Writer, scratch: Path, major: int) -> Made:
    key = anchors.own_key(config.data)
    if (config.data / anchors.FILE).exists():
        writer.add(anchors.FILE, config.data / anchors.FILE)
    made_at = _now(config.database_url)
    dump = scratch / archive.DUMP
    postgres.run_program(
        "pg_dump", ["-Fc", "--enable-row-security", "-f", dump], config.database_url, scratch
    )
    failpoint("backup.during")
    writer.add(archive.DUMP, dump)
    for name, source in _files(config.data):
        _take(writer, name, source)
    manifest = archive.Manifest(
        format=archive.FORMAT,
        id=str(uuid4()),
        made_at=made_at,
        pilot=VERSION,
        schema=schema.revision(config.database_url) or "",
        postgres=major,
        secret_keys=[archive.key_id(key) for key in config.secret_keys],
        anchor_key=anchors.public_text(key) if key else "",
        members=writer.members,
    )
    size = writer.finish(manifest)
    return Made(writer.path, size, len(writer.members) - 1, manifest)


def _now(url: str) -> str:
    with schema.connect(url) as connection:
        connection.execute("SET ROLE pilot_app")
        row = connection.execute("SELECT pilot_now() AT TIME ZONE 'UTC'").fetchone()
    assert row is not None
    return f"{row[0].isoformat(timespec='seconds')}Z"


def _files(data: Path) -> Iterator[tuple[str, Path]]:
    """Yield what lies below the folder of users.

    The order is from Z to A: a mail that moves from `new` to `cur` is met at least once.
    """
    found = sorted((data / USERS).rglob("*"), reverse=True)
    for path in found:
        if not path.is_symlink():
            yield str(path.relative_to(data)), path


def _take(writer: archive.Writer, name: str, source: Path) -> None:
    try:
        if source.is_dir():
            writer.add_folder(name)
        elif source.is_file():
            writer.add(name, source)
    except FileNotFoundError:
        return  # deleted, or moved on, since the folder was read


def _record(made: Made, by: Actor) -> None:
    details = {
        "file": made.path.name,
        "size_bytes": made.size_bytes,
        "files": made.files,
        "made_at": made.manifest.made_at,
    }
    with db.transaction("backup.record", None) as session:
        about = ("backup", made.manifest.id)
        audit.record(session, Event.BACKUP_CREATED, actor=by, about=about, details=details)
