"""`pilot restore`: a backup into an installation that nobody uses yet.

The database is filled, and all that ran is held, in one transaction; then each execution is looked
at. A restore that was cut short is begun anew, or goes on, by the same command.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from sqlalchemy import text

from pilot import audit, db
from pilot.audit import Actor
from pilot.config import Config
from pilot.engine.life import restoring
from pilot.engine.upkeep import anchors
from pilot.errors import ConfigError, ConflictError
from pilot.services import archive, backup, installation, postgres, processes, schema

DATABASE = "pilot"


@dataclass
class Restored:
    """What was restored, and what a person has to know."""

    manifest: archive.Manifest
    files: int = 0
    settled: restoring.Settled = field(default_factory=restoring.Settled)
    records: int = 0
    warnings: list[str] = field(default_factory=list)


def check(config: Config, path: Path) -> Restored:
    """Read a whole backup, change nothing, and return what it is.

    Raises:
        ConfigError: it is damaged, not complete, or of a newer Pilot.
    """
    manifest = archive.check(path)
    if not schema.knows(manifest.schema):
        raise ConfigError(
            f"{path} was made by a newer Pilot (its schema is {manifest.schema}): update this one."
        )
    found = Restored(manifest, len(manifest.members) - 1)
    held = {archive.key_id(key) for key in config.secret_keys}
    missing = [key for key in manifest.secret_keys if key not in held]
    if missing:
        found.warnings.append(
            f"The secret keys {', '.join(missing)} are not here: put them back (the file "
            f"{config.data / 'secret_keys'}, or PILOT_SECRET_KEYS), or set again what they sealed: "
            "keys of providers, passwords of connections, secrets by name, secrets of webhooks, "
            "channels of notices, and the second factors of people; mail not sent yet is lost."
        )
    return found


def restore(config: Config, path: Path, *, by: Actor) -> Restored:
    """Restore a backup and return what came of it.

    Raises:
        ConfigError: the backup cannot be used, or Pilot runs on this data folder, or its disk is
            full.
        ConflictError: this installation is in use: it has people, or files of theirs.
    """
    found = check(config, path)
    with installation.occupied(config.data), running_database(config):
        schema.check_server(config.database_url)
        _refuse_older_server(config.database_url, found.manifest)
        db.configure(config.database_url)
        try:
            if _restored_from(config) != found.manifest.id:
                try:
                    _fill(config, path, found)
                except OSError as error:
                    raise installation.unwritable(config.data, error) from error
            schema.migrate(config.database_url)
            found.settled = restoring.settle(by=by)
            details = {"made_at": found.manifest.made_at, "epoch": restoring.epoch()}
            restoring.record(found.manifest.id, found.settled, details, by=by)
            _verify(config, found)
        finally:
            db.engine().dispose()
        installation.marker(config.data).unlink(missing_ok=True)
    return found


@contextmanager
def running_database(config: Config) -> Iterator[None]:
    """Have the embedded PostgreSQL run until the block ends, if it is the one in use."""
    if config.given_database_url:
        yield
        return
    cluster, signals = postgres.prepare_folders(config.data), processes.Signals()
    try:
        server = postgres.start(cluster, signals)
        try:
            schema.prepare_roles(cluster.url("postgres"))
            schema.create_database(cluster.url("postgres"), DATABASE)
            yield
        finally:
            postgres.stop(server)
    finally:
        signals.close()


def _refuse_older_server(url: str, manifest: archive.Manifest) -> None:
    with schema.connect(url) as connection:
        major = connection.info.server_version // 10_000
    if major < manifest.postgres:
        raise ConfigError(
            f"The backup is of PostgreSQL {manifest.postgres}, the database is {major}: restore "
            "into a server that is not older."
        )


def _restored_from(config: Config) -> str | None:
    """Return the backup that a restore which was cut short has filled the database from."""
    if not installation.marker(config.data).exists() or schema.is_unused(config.database_url):
        return None
    with db.reading(None) as session:
        found = session.scalar(text("SELECT backup_id FROM deployment"))
    return str(found) if found else None


def _fill(config: Config, path: Path, found: Restored) -> None:
    """Put files and database in their places; only now something is changed."""
    url, users = config.database_url, config.data / backup.USERS
    if not schema.is_unused(url):
        raise ConflictError(
            "This installation has people already. A backup is restored into a new one: set "
            "PILOT_DATA to an empty folder (and DATABASE_URL to an empty database, if you use one)."
        )
    marker = installation.marker(config.data)
    if users.exists() and any(users.iterdir()) and not marker.exists():
        raise ConflictError(f"{users} holds files already: move it elsewhere first.")
    marker.write_text(f"{found.manifest.id}\n", encoding="utf-8")
    rmtree(users, ignore_errors=True)
    archive.unpack(path, f"{backup.USERS}/", users)
    _place_anchors(config, path, found)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=config.data) as scratch:
        _fill_database(url, path, Path(scratch), found.manifest)


def _place_anchors(config: Config, path: Path, found: Restored) -> None:
    """Put the anchors back where their key is here; else beside, to be verified against.

    Those that this folder had are kept: they know what happened after the backup.
    """
    if anchors.FILE not in found.manifest.members:
        return
    place = config.data / anchors.FILE
    own = anchors.own_key(config.data)
    if own is None or anchors.public_text(own) != found.manifest.anchor_key:
        place = place.with_name(f"audit_anchors.{found.manifest.anchor_key[:8]}.jsonl")
        found.warnings.append(
            f"The key that signed the audit trail's anchors is not here: they are kept in {place}, "
            f"check with pilot audit verify --anchors {place} --key {found.manifest.anchor_key}."
        )
    if place.exists():
        kept = place.with_name(f"{place.stem}.before-{found.manifest.id[:8]}.jsonl")
        place.rename(kept)
        found.warnings.append(
            f"The anchors that were here are kept in {kept}: what they know beyond the backup is "
            "lost (pilot audit verify --anchors names it)."
        )
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=config.data) as scratch:
        archive.unpack(path, anchors.FILE, Path(scratch) / "file")
        (Path(scratch) / "file").rename(place)


def _fill_database(url: str, path: Path, scratch: Path, manifest: archive.Manifest) -> None:
    dump, script = scratch / archive.DUMP, scratch / "restore.sql"
    archive.unpack(path, archive.DUMP, dump)
    postgres.run_program("pg_restore", ["-f", script, dump], url, scratch, output=True)
    schema.clear(url)
    # pg_restore alone could not hold what ran in the same transaction.
    postgres.run_program(
        "psql",
        [
            *("-X", "-q", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"),
            *("-c", "GRANT CREATE ON SCHEMA public TO pilot_claim, pilot_audit"),
            *("-f", script),
            *("-c", "SET search_path = public; SET row_security = on"),
            *("-c", restoring.HOLD.format(backup=manifest.id)),
            *("-c", "REVOKE CREATE ON SCHEMA public FROM pilot_claim, pilot_audit"),
        ],
        url,
        scratch,
    )


def _verify(config: Config, found: Restored) -> None:
    """Check the audit trail against itself and the anchors of the backup."""
    own = anchors.check_own(config.data)
    with db.reading(None, sees_all=True) as session:
        found.records, faults = audit.verify(session, marks=own.marks)
    for fault in [*own.faults, *faults][:3]:
        found.warnings.append(f"Audit trail, {fault.chain} record {fault.seq}: {fault.reason}.")
