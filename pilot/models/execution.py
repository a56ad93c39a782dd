"""Executions, their step attempts, waits and events."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Computed, DateTime, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pilot.db import Base
from pilot.models.columns import USD, CreatedAt, Id, Json, Moment


class Execution(Base):
    """One run of one workflow version; the row is the truth about it."""

    __tablename__ = "execution"
    __table_args__ = (
        Index(
            "execution_queued",
            "owner_id",
            "priority",
            "wake_at",
            postgresql_where=text("status = 'queued' AND admitted"),
        ),
        Index(  # who waits for a place of a concurrency key, and who holds one
            "execution_turn",
            "agent_id",
            "concurrency_key",
            "priority",
            "created_at",
            postgresql_where=text("status = 'queued' AND NOT admitted"),
        ),
        Index(
            "execution_late_turn",
            "deadline_at",
            postgresql_where=text("status = 'queued' AND NOT admitted"),
        ),
        Index(
            "execution_with_key",
            "agent_id",
            "concurrency_key",
            postgresql_where=text(
                "concurrency_key IS NOT NULL AND finished_at IS NULL AND admitted"
            ),
        ),
        Index(
            "execution_suspect",
            "wake_at",
            postgresql_where=text("status = 'queued' AND recovery_attempts >= 2"),
        ),
        Index("execution_by_owner", "owner_id", "created_at", "id"),
        Index("execution_by_agent", "agent_id", "id"),
        Index(
            "execution_unpruned",
            "finished_at",
            postgresql_where=text("pruned_at IS NULL AND finished_at IS NOT NULL"),
        ),
        # Each order of the list.
        Index("execution_by_time", "created_at", "id"),
        Index("execution_by_status", "status", "id"),
        Index("execution_by_name", "name_key", "id"),
        Index("execution_by_owner_and_name", "owner_id", "name_key"),
        Index("execution_by_duration", "duration_key", "id"),
        Index("execution_by_cost", "cost_key", "id"),
        Index("execution_by_tokens", "tokens", "id"),
        # What is rare, and asked for.
        Index("execution_tests", "created_at", postgresql_where=text("mode = 'test'")),
        Index(
            "execution_by_simulation",
            "simulation_id",
            postgresql_where=text("simulation_id IS NOT NULL"),
        ),
        Index("execution_simulated", "created_at", postgresql_where=text("mode = 'simulate'")),
        Index("execution_errors", "created_at", postgresql_where=text("error IS NOT NULL")),
        Index("execution_unpriced", "created_at", postgresql_where=text("unpriced_calls > 0")),
        Index("execution_wasted", "created_at", postgresql_where=text("wasted_calls > 0")),
        Index("execution_recorded", "created_at", postgresql_where=text("recorded_calls > 0")),
        Index("execution_blob", "output_blob", postgresql_where=text("output_blob IS NOT NULL")),
        Index(
            "execution_by_parent_key",
            "parent_key",
            unique=True,
            postgresql_where=text("parent_key IS NOT NULL"),
        ),
        Index("execution_by_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index(
            "execution_open_child",
            "parent_id",
            postgresql_where=text("parent_id IS NOT NULL AND finished_at IS NULL"),
        ),
        Index("execution_by_replay", "replay_of", postgresql_where=text("replay_of IS NOT NULL")),
        Index("execution_by_fork", "forked_from", postgresql_where=text("forked_from IS NOT NULL")),
        Index("execution_live", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id"))
    agent_name: Mapped[str] = mapped_column(Text)
    forked_from: Mapped[UUID | None] = mapped_column(
        ForeignKey("execution.id", ondelete="SET NULL")
    )
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("workflow_version.id"))
    version_number: Mapped[int | None]
    document: Mapped[Json | None]  # the one-step document, when that is what runs
    runs: Mapped[str] = mapped_column(Text)  # pilot_steps or one_step
    runs_reason: Mapped[str] = mapped_column(Text)
    session_id: Mapped[UUID] = mapped_column(unique=True, server_default=text("uuidv7()"))
    mode: Mapped[str] = mapped_column(Text)  # run, test or simulate
    # Of a simulation: the branches it was told to take, by step (within another execution also
    # the moment it begins at), and what it belongs with.
    simulation: Mapped[Json | None]
    simulation_id: Mapped[UUID | None]
    # Of a replay: the past execution whose recorded outputs it takes, and who is asked anew.
    replay_of: Mapped[UUID | None] = mapped_column(ForeignKey("execution.id", ondelete="SET NULL"))
    replay_model: Mapped[str | None] = mapped_column(Text)
    trigger: Mapped[str] = mapped_column(Text, server_default="manual")
    started_by: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    inputs: Mapped[Json]
    prompt: Mapped[str | None] = mapped_column(Text)
    # Of a child: whose step started it, at which path, and that step's key.
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("execution.id", ondelete="SET NULL"))
    parent_path: Mapped[str | None] = mapped_column(Text)
    parent_key: Mapped[UUID | None]
    depth: Mapped[int] = mapped_column(server_default="0")
    detached: Mapped[bool] = mapped_column(server_default=text("false"))
    held_by_parent: Mapped[bool] = mapped_column(server_default=text("false"))  # paused with it
    settings: Mapped[Json]  # the snapshot that this execution keeps
    settings_version: Mapped[int]
    flags: Mapped[Json] = mapped_column(server_default="{}")  # switches that a rule decided
    zone: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    status_reason: Mapped[str | None] = mapped_column(Text)
    fence: Mapped[int] = mapped_column(server_default="0")
    worker_id: Mapped[UUID | None]
    wake_at: Mapped[CreatedAt]
    priority: Mapped[int] = mapped_column(server_default="5")
    # Of the agent's executions with one key so many go on at once; the others are not admitted yet.
    concurrency_key: Mapped[str | None] = mapped_column(Text)
    concurrency_limit: Mapped[int | None]
    admitted: Mapped[bool] = mapped_column(server_default=text("true"))
    compensation: Mapped[str] = mapped_column(Text, server_default="none")  # possible, begun
    deadline_at: Mapped[Moment]
    cancel_requested_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pause_requested_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    recovery_attempts: Mapped[int] = mapped_column(server_default="0")
    state_schema: Mapped[int] = mapped_column(server_default="1")
    event_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    # What calls to models may cost, what those under way can cost at most, and what was paid.
    budget_usd: Mapped[Decimal | None] = mapped_column(USD)
    reserved_usd: Mapped[Decimal] = mapped_column(USD, server_default="0")
    spent_usd: Mapped[Decimal] = mapped_column(USD, server_default="0")
    budget_tokens: Mapped[int | None] = mapped_column(BigInteger)
    reserved_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    spent_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    # What its ended calls took; recorded answers are counted apart and took nothing.
    cost_usd: Mapped[Decimal] = mapped_column(USD, server_default="0")
    tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unpriced_calls: Mapped[int] = mapped_column(server_default="0")
    wasted_calls: Mapped[int] = mapped_column(server_default="0")
    recorded_calls: Mapped[int] = mapped_column(server_default="0")
    # What lists sort by: of types that an index serves under row security.
    name_key: Mapped[str] = mapped_column(Text, Computed("lower(agent_name)", persisted=True))
    cost_key: Mapped[int] = mapped_column(  # 10^-12 USD
        BigInteger, Computed("(cost_usd * 1000000000000)::bigint", persisted=True)
    )
    duration_key: Mapped[int] = mapped_column(  # ms; -1: has not ended
        BigInteger,
        Computed(
            "coalesce((extract(epoch FROM finished_at - started_at) * 1000)::bigint, -1)",
            persisted=True,
        ),
    )
    output: Mapped[Json | None]  # of a large one its digest
    output_blob: Mapped[bytes | None] = mapped_column(LargeBinary)  # and its hash
    error: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    pruned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # see retention


class StepExecution(Base):
    """One attempt at one step; its completed output is the checkpoint."""

    __tablename__ = "step_execution"
    __table_args__ = (
        Index(
            "step_execution_one_live",
            "execution_id",
            "path",
            unique=True,
            postgresql_where=text("status IN ('running', 'waiting', 'completed')"),
        ),
        Index(
            "step_execution_cache",
            "owner_id",
            "cache_key",
            "finished_at",
            postgresql_where=text("cache_key IS NOT NULL"),
        ),
        Index(
            "step_execution_cached",
            "finished_at",
            postgresql_where=text("cached IS NOT NULL"),
        ),
        Index(
            "step_execution_blob", "output_blob", postgresql_where=text("output_blob IS NOT NULL")
        ),
    )

    execution_id: Mapped[UUID] = mapped_column(
        ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    effect: Mapped[str | None] = mapped_column(Text)
    key: Mapped[UUID | None]
    rerun: Mapped[int] = mapped_column(server_default="0")
    input: Mapped[Json | None]
    output: Mapped[Json | None]  # of a large one its digest
    output_blob: Mapped[bytes | None] = mapped_column(LargeBinary)  # and its hash
    error: Mapped[Json | None]
    notes: Mapped[Json | None]
    fence: Mapped[int]
    worker_id: Mapped[UUID | None]
    started_at: Mapped[Moment]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    duration_ms: Mapped[int | None]
    reused_from: Mapped[UUID | None]  # the execution in which it ran, if not this one
    cache_key: Mapped[bytes | None] = mapped_column(LargeBinary)  # by which its output is found
    cached: Mapped[Json | None]  # of an output that was found: whence, and what that saved


class Batch(Base):
    """Items of a wide scatter that any worker may claim; their steps are rows of the execution."""

    __tablename__ = "batch"
    __table_args__ = (
        Index("batch_once", "execution_id", "path", "first", unique=True),
        Index("batch_open", "execution_id", postgresql_where=text("finished_at IS NULL")),
        Index("batch_held", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
    )

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app_user.id"))
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("execution.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(Text)  # of the scatter
    first: Mapped[int]  # of its items
    last: Mapped[int]
    lanes: Mapped[int]  # items at the same time
    places: Mapped[int]  # batches of the scatter at the same time
    may_fail: Mapped[int]  # items, over all batches of the scatter
    failed: Mapped[int] = mapped_column(server_default="0")
    fence: Mapped[int]
    worker_id: Mapped[UUID | None]
    recovery_attempts: Mapped[int] = mapped_column(server_default="0")
    # Whether the execution has to do what is left, and all later items, by itself.
    gave_up: Mapped[bool] = mapped_column(server_default=text("false"))
    changed_at: Mapped[CreatedAt]  # claimed, taken away or ended
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Wait(Base):
    """Why an execution left its worker: a timer, a retry's back-off, an approval or an event."""

    __tablename__ = "wait"
    __table_args__ = (
        Index("wait_due", "wake_at", postgresql_where=text("resolved_at IS NULL")),
        Index("wait_open", "execution_id", postgresql_where=text("consumed_at IS NULL")),
        Index(
            "wait_reconnect",
            text("(asked ->> 'connection')"),
            postgresql_where=text(
                "kind = 'reconnect' AND resolved_at IS NULL AND consumed_at IS NULL"
            ),
        ),
        Index(
            "wait_turn",
            text("(asked ->> 'connection')"),
            postgresql_where=text("kind = 'turn' AND resolved_at IS NULL AND consumed_at IS NULL"),
        ),
        Index(
            "wait_event",
            "owner_id",
            "event",
            "id",
            postgresql_where=text(
                "event IS NOT NULL AND resolved_at IS NULL AND consumed_at IS NULL"
            ),
        ),
        Index(
            "wait_unlooked",
            "opened_at",
            postgresql_where=text(
                "event IS NOT NULL AND resolved_at IS NULL AND consumed_at IS NULL "
                "AND looked_at IS NULL"
            ),
        ),
    )

    id: Mapped[Id]
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("execution.id", ondelete="CASCADE"))
    owner_id: Mapped[UUID]
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)  # timer, retry, turn, reconnect, approval, form, event
    event: Mapped[str | None] = mapped_column(Text)  # its name
    asked: Mapped[Json | None]  # what the event has to be: match, roots, schema
    wake_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    resolution: Mapped[Json | None]
    opened_at: Mapped[CreatedAt]
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    consumed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    looked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # into the inbox


class Event(Base):
    """One line of an execution's timeline; `seq` has no gaps, so a reader misses nothing."""

    __tablename__ = "event"

    execution_id: Mapped[UUID] = mapped_column(
        ForeignKey("execution.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    owner_id: Mapped[UUID]
    at: Mapped[CreatedAt]
    kind: Mapped[str] = mapped_column(Text)  # execution, step, approval
    path: Mapped[str | None] = mapped_column(Text)
    data: Mapped[Json]
