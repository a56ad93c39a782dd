"""What this process is told by its environment: addresses, folders, ports, keys, sizes.

What an administrator changes while Pilot runs is a setting (`pilot.settings`), not config.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pilot.errors import ConfigError

TEST_DATABASE = "pilot_test"  # crash points fire only in databases whose name starts so
KEYS_FILE = "secret_keys"
NEW_KEY = "python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
DATABASE_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
EGRESS_ENTRY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_.-]+):[0-9]{1,5}")


@dataclass(frozen=True)
class SmtpServer:
    """A server that takes mail, and who writes through it."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str  # "": it asks for no password
    password: str = field(repr=False)
    sender: str  # "Pilot <pilot@example.com>"


@dataclass(frozen=True)
class Config:
    """The facts of one process. Secrets are left out of its repr."""

    data: Path  # everything Pilot keeps outside the database, and the embedded servers
    host: str
    port: int
    threads: int  # of a worker, for steps that do I/O
    slots: int  # executions that one worker runs at once
    drain_s: int  # a stopping worker lets running steps finish for so long
    public_url: str | None  # where people reach Pilot, for links; None: http://host:port
    allow_http: bool
    egress_allow: tuple[str, ...]  # host:port entries that actions may reach besides the public net
    collector_url: str | None  # takes spans: OTLP over HTTP; None: they are told to nobody
    smtp: SmtpServer | None  # takes notices and other mail of Pilot's own
    script: Path | None  # recorded answers that take the place of models
    given_database_url: str | None = field(repr=False)  # None: `pilot up` runs its own server
    given_redis_url: str | None = field(repr=False)
    admin_password: str | None = field(repr=False)
    collector_headers: Mapping[str, str] = field(repr=False)
    metrics_token: str | None = field(repr=False)  # None: nobody may scrape /metrics
    secret_keys: tuple[str, ...] = field(repr=False)  # newest first; empty before the first `up`

    @classmethod
    def from_env(
        cls, environment: Mapping[str, str] | None = None, *, without_keys: bool = False
    ) -> "Config":
        """Read the environment of this process (or `environment`, for tests).

        `without_keys` is for who has to tell what is wrong with the key file.

        Raises:
            ConfigError: a value cannot be used; the message says which and what to do.
        """
        env = os.environ if environment is None else environment
        data = Path(env.get("PILOT_DATA") or "data").absolute()
        host = env.get("PILOT_HOST") or "127.0.0.1"
        public_url = _url(env, "PILOT_PUBLIC_URL", ("http", "https"))
        allow_http = _flag(env, "PILOT_ALLOW_HTTP")
        _refuse_open_http(host, public_url, allow_http=allow_http)
        return cls(
            data=data,
            host=host,
            port=_integer(env, "PILOT_PORT", 8710, 1, 65535),
            threads=_integer(env, "PILOT_THREADS", 128, 1, 4096),
            slots=_integer(env, "PILOT_SLOTS", 500, 1, 10_000),
            drain_s=_integer(env, "PILOT_DRAIN_S", 20, 0, 3600),
            public_url=public_url,
            allow_http=allow_http,
            egress_allow=_egress_allow(env.get("PILOT_EGRESS_ALLOW", "")),
            collector_url=_collector(env),
            collector_headers=_headers(env, "OTEL_EXPORTER_OTLP_HEADERS"),
            smtp=_smtp(env),
            script=Path(env["PILOT_SCRIPT"]).absolute() if env.get("PILOT_SCRIPT") else None,
            given_database_url=_url(env, "DATABASE_URL", DATABASE_SCHEMES),
            given_redis_url=_url(env, "REDIS_URL", ("redis", "rediss", "unix")),
            admin_password=env.get("PILOT_ADMIN_PASSWORD") or None,
            metrics_token=_metrics_token(env),
            secret_keys=() if without_keys else _secret_keys(env, data),
        )

    @property
    def database_url(self) -> str:
        """The database: DATABASE_URL, or the embedded one."""
        return self.given_database_url or embedded_database_url(sockets(self.data))

    @property
    def redis_url(self) -> str:
        """The queue: REDIS_URL, or the embedded one."""
        return self.given_redis_url or embedded_redis_url(sockets(self.data))

    @property
    def has_https(self) -> bool:
        """Whether people's browsers reach Pilot by https."""
        return bool(self.public_url and self.public_url.startswith("https:"))

    @property
    def url(self) -> str:
        """Where a person's browser finds Pilot, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{local_address(self.host)}:{self.port}"


def sockets(data: Path) -> Path:
    """Return the folder of the embedded servers' sockets (its real path is the short one)."""
    return (data / "sockets").resolve()


def embedded_database_url(folder: Path) -> str:
    """Return the URL of the embedded PostgreSQL whose socket lies in `folder`."""
    return f"postgresql://pilot@/pilot?host={quote(str(folder), safe='/')}&port=5432"


def embedded_redis_url(folder: Path) -> str:
    """Return the URL of the embedded Valkey whose socket lies in `folder`."""
    return f"unix://{quote(str(folder), safe='/')}/valkey.sock"


def local_address(host: str) -> str:
    """Return the address by which this machine reaches a server bound to `host`, for a URL."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104  compared with, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def child_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return this process' environment for one it starts in any folder, with `values` put in."""
    environment = {**os.environ, **values}
    for name in ("PILOT_DATA", "PILOT_SCRIPT", "PILOT_SECRET_KEYS_FILE"):
        if environment.get(name):
            environment[name] = str(Path(environment[name]).absolute())
    return environment


def failpoint_text() -> str:
    """Return PILOT_FAILPOINT, or "" where the database is not one of the tests'."""
    name = urlsplit(os.environ.get("DATABASE_URL", "")).path.lstrip("/")
    return os.environ.get("PILOT_FAILPOINT", "") if name.startswith(TEST_DATABASE) else ""


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ConfigError(f"{name}={text!r} must be a whole number from {low} to {high}.")
    return int(text)


def _metrics_token(env: Mapping[str, str]) -> str | None:
    token = env.get("PILOT_METRICS_TOKEN") or None
    if token and not (len(token) >= 16 and token.isascii() and token.isprintable()):
        raise ConfigError(
            "PILOT_METRICS_TOKEN must have 16 or more printable ASCII characters. Make one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return token


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name) or "0"
    if text not in {"0", "1"}:
        raise ConfigError(f"{name}={text!r} must be 0 or 1.")
    return text == "1"


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    text = env.get(name) or None
    if text and text.partition("://")[0] not in schemes:
        raise ConfigError(f"{name} must start with {' or '.join(f'{s}://' for s in schemes)}.")
    return text


def _collector(env: Mapping[str, str]) -> str | None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    text = _url(env, name, ("http", "https"))
    try:
        usable = text is None or bool(urlsplit(text).hostname and urlsplit(text).port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{name} has the form http://collector.example:4318.")
    return text


def _headers(env: Mapping[str, str], name: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (env.get(name) or "").split(",")):
        key, mark, value = pair.partition("=")
        if not (mark and key.strip()):
            raise ConfigError(f"{name} has the form name=value,name=value.")
        found[unquote(key.strip()).lower()] = unquote(value.strip())
    return found


def _smtp(env: Mapping[str, str]) -> SmtpServer | None:
    """Read smtp://user:password@host:port?from=address (STARTTLS) or smtps:// (TLS at once)."""
    text = _url(env, "PILOT_SMTP_URL", ("smtp", "smtps"))
    if text is None:
        return None
    form = "smtp://user:password@host:587?from=pilot@example.com, or smtps:// for TLS at once."
    try:
        parts = urlsplit(text)
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
        given = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError(f"PILOT_SMTP_URL cannot be read. Its form: {form}") from None
    user = unquote(parts.username or "")
    sender = given.pop("from", [user])[0]
    if not parts.hostname or parts.path.strip("/") or given:
        raise ConfigError(f"PILOT_SMTP_URL names no server, or more than that. Its form: {form}")
    if "@" not in parseaddr(sender)[1] or not sender.isprintable():
        raise ConfigError(f"PILOT_SMTP_URL says from which address Pilot writes: {form}")
    security: Literal["tls", "starttls", "none"] = "starttls"
    if parts.scheme == "smtps":
        security = "tls"
    elif is_this_machine(parts.hostname):
        security = "none"
    password = unquote(parts.password or "")
    return SmtpServer(parts.hostname, port, security, user, password, sender)


def is_this_machine(host: str) -> bool:
    """Say whether what is sent to `host` never leaves this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _refuse_open_http(host: str, public_url: str | None, *, allow_http: bool) -> None:
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError as error:
        raise ConfigError(f"PILOT_HOST={host!r} must be an IP address or localhost.") from error
    if loopback or allow_http or (public_url or "").startswith("https://"):
        return
    raise ConfigError(
        f"PILOT_HOST={host} can be reached from other machines, where passwords would travel in "
        "the clear: set PILOT_PUBLIC_URL to the https:// address of your proxy, or "
        "PILOT_ALLOW_HTTP=1 if the network is trusted."
    )


def _egress_allow(text: str) -> tuple[str, ...]:
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if not EGRESS_ENTRY.fullmatch(entry):
            told = f"PILOT_EGRESS_ALLOW: {entry!r} must be host:port"
            raise ConfigError(f"{told}, of one host: an IPv6 address in brackets, no pattern.")
    return entries


def read_secret_keys(data: Path) -> tuple[str, ...]:
    """Return the secret keys as environment or key file tell them now, newest first.

    Raises:
        ConfigError: they cannot be read.
    """
    return _secret_keys(os.environ, data)


def _secret_keys(env: Mapping[str, str], data: Path) -> tuple[str, ...]:
    text = env.get("PILOT_SECRET_KEYS") or ""
    name = "PILOT_SECRET_KEYS"
    if not text:
        given = env.get("PILOT_SECRET_KEYS_FILE")
        path = Path(given) if given else data / KEYS_FILE
        text = _private_text(path, required=bool(given))
        name = str(path)
    keys = tuple(text.replace(",", " ").split())
    for number, key in enumerate(keys, 1):
        if not _is_key(key):
            raise ConfigError(
                f"{name}: key {number} is not 32 bytes in URL-safe base64. Make one with: {NEW_KEY}"
            )
    return keys


def _private_text(path: Path, *, required: bool) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise ConfigError(f"PILOT_SECRET_KEYS_FILE: {path} does not exist.") from None
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"The key file {path} cannot be read: {error}.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"The key file {path} can be read by others: chmod 600 {path}")
    return text


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
