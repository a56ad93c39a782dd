"""Runs the migrations as `pilot_owner`; called by `pilot.services.migrate`, without alembic.ini."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

# Data migrations see every row (`app.maintain`). Nobody waits long behind a change: a table that
# stays locked for 3 s ends the migration, and nothing of it remains.
SESSION = "-c role=pilot_owner -c app.maintain=on -c lock_timeout=3s -c timezone=UTC"
LOCK = "SELECT pg_advisory_lock(1346980948, -1)"  # 0x50494C54; workers hold positive numbers

engine = create_engine(
    context.config.attributes["url"],
    poolclass=NullPool,
    connect_args={"options": SESSION, "connect_timeout": 5},
)
with engine.connect() as connection:
    connection.execute(text("SET lock_timeout = 0"))  # two processes that start: one waits
    connection.execute(text(LOCK))
    connection.execute(text("SET lock_timeout = '3s'"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
