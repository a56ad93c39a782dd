"""The database: engine, tables' base, transactions under row-level security, the clock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import structlog
from psycopg.errors import DiskFull, IdleInTransactionSessionTimeout
from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction

from pilot.errors import ConfigError, ConflictError, UnavailableError
from pilot.failpoints import failpoint

log = structlog.get_logger()

LOCK_TIMEOUT = "5s"
SESSION_LIMITS = (
    f"-c role=pilot_app -c statement_timeout=30s -c lock_timeout={LOCK_TIMEOUT} "
    "-c idle_in_transaction_session_timeout=5s -c timezone=UTC -c jit=off "
    # A page of a list is read in the order of an index; on no disk of today that is dear.
    "-c random_page_cost=1.1"
)
BAD_URL = (
    "DATABASE_URL cannot be read. Its form: postgresql://user:password@host:5432/name; within a "
    "password, @ is written as %40, / as %2F, : as %3A and % as %25."
)
WHO = text("SELECT set_config('app.user_id', :u, true), set_config('app.sees_all', :a, true)")
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "tcp_user_timeout": 10_000,
}


class Base(DeclarativeBase):
    """Base of all tables; Flask-SQLAlchemy binds the same metadata for the pages."""


class _Process:
    """The engine of this process, set once by `configure`, and each thread's open transaction."""

    engine: Engine | None = None
    made_of: tuple[str, int] = ("", 0)  # its URL and the size of its pool
    thread = threading.local()


def dsn(url: str) -> str:
    """Return the libpq form of a database URL (for psycopg), without SQLAlchemy's driver name."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def read_url(url: str) -> URL:
    """Return the parts of a database URL.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return make_url("postgresql+psycopg://" + dsn(url).split("://", 1)[1])
    except ValueError:  # it quotes the URL, which holds a password
        raise ConfigError(BAD_URL) from None


def configure(url: str, *, pool_size: int = 10) -> Engine:
    """Make the process' engine: the application role, with the session limits of every login.

    Raises:
        ConfigError: the URL cannot be read.
    """
    if _Process.engine is not None and (url, pool_size) == _Process.made_of:
        return _Process.engine  # threads may hold connections of it
    place = read_url(url)
    if _Process.engine is not None:
        _Process.engine.dispose()
    _Process.made_of = (url, pool_size)
    _Process.engine = create_engine(
        place,
        pool_size=pool_size,
        max_overflow=20,
        pool_pre_ping=True,
        use_native_hstore=False,  # nothing is one: no need to ask whether it is there
        connect_args={"options": SESSION_LIMITS, "connect_timeout": 5, **KEEPALIVE},
    )
    return _Process.engine


def engine() -> Engine:
    """Return the process' engine.

    Raises:
        UnavailableError: `configure` was not called.
    """
    if _Process.engine is None:
        raise UnavailableError("The database is not configured.")
    return _Process.engine


def act_as(session: Session, user_id: UUID | None, *, sees_all: bool = False) -> None:
    """Put the user into the session; row security holds from the next statement on."""
    before = session.info.get("user_id"), session.info.get("sees_all")
    session.info["user_id"] = user_id
    session.info["sees_all"] = sees_all
    if session.in_transaction() and before != (user_id, sees_all):
        _apply_identity(session.connection(), session)


def _apply_identity(connection: Connection, session: Session) -> None:
    user_id = session.info.get("user_id")
    sees_all = "on" if session.info.get("sees_all") else ""
    connection.execute(WHO, {"u": str(user_id) if user_id else "", "a": sees_all})


@event.listens_for(Session, "after_begin")
def _identity_on_begin(
    session: Session, _transaction: SessionTransaction, connection: Connection
) -> None:
    if "user_id" in session.info:
        _apply_identity(connection, session)


def on_commit(session: Session, callback: Callable[[], None]) -> None:
    """Call back once the outer transaction has really committed (SQLAlchemy's own event lies)."""
    session.info.setdefault("on_commit", []).append(callback)


@contextmanager
def transaction(name: str, user_id: UUID | None, *, sees_all: bool = False) -> Iterator[Session]:
    """Open a session that commits as a whole when the block ends, as `user_id`.

    `name` is the calling operation; `<name>.before_commit` and `.after_commit` are crash points.

    Raises:
        UnavailableError: the database is away.
        ConflictError: somebody else holds a lock for too long.
    """
    with _alone(name), Session(engine(), expire_on_commit=False) as session:
        act_as(session, user_id, sees_all=sees_all)
        try:
            yield session
            session.flush()
            failpoint(f"{name}.before_commit")
            session.commit()
        except (OperationalError, InterfaceError) as error:
            raise unavailable(error) from error
        failpoint(f"{name}.after_commit")
        callbacks: list[Callable[[], None]] = session.info.get("on_commit", [])
    for callback in callbacks:
        try:
            callback()
        except Exception:  # the row is saved: a dead queue must not undo it
            log.exception("after_commit_failed", operation=name)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Refuse a transaction inside another: it would commit although the outer one rolls back."""
    outer: str | None = getattr(_Process.thread, "name", None)
    if outer:
        raise RuntimeError(f"{name} was called inside the transaction of {outer}")
    _Process.thread.name = name
    try:
        yield
    finally:
        _Process.thread.name = None


@contextmanager
def reading(user_id: UUID | None, *, sees_all: bool = False) -> Iterator[Session]:
    """Open a session for SELECTs only, as `user_id`; nothing is committed."""
    try:
        with Session(engine(), expire_on_commit=False) as session:
            act_as(session, user_id, sees_all=sees_all)
            yield session
    except (OperationalError, InterfaceError) as error:  # also as it ends: it was cut meanwhile
        raise unavailable(error) from error


def unavailable(error: OperationalError | InterfaceError) -> Exception:
    """Translate a database fault: lock and statement limits are conflicts, the rest is outage."""
    if getattr(error.orig, "sqlstate", None) in {"55P03", "57014", "40P01", "40001"}:
        return ConflictError("Somebody else is changing this right now; try again.")
    if isinstance(error.orig, DiskFull):
        return UnavailableError(
            "The disk of the database is full; make room on it, and try again: nothing was changed."
        )
    return UnavailableError("The database does not answer; try again in a moment.")


@event.listens_for(Engine, "handle_error")
def _lost_while_busy(context: ExceptionContext) -> None:
    """Take a transaction that the database ended, as its process had no turn, for an outage."""
    fault = context.original_exception
    if isinstance(fault, IdleInTransactionSessionTimeout):
        context.is_disconnect = True
        raise OperationalError(context.statement, context.parameters, fault)


def changed_rows(session: Session, statement: Executable, values: dict[str, Any]) -> int:
    """Execute a write and return how many rows it hit."""
    return cast("CursorResult[Any]", session.execute(statement, values)).rowcount


def now() -> datetime:
    """Return this process' clock (UTC, aware); leases and deadlines use `pilot_now()` in SQL."""
    return datetime.now(UTC)
