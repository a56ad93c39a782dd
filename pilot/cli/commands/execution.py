"""Executions: list and show them, follow one, pause, resume, retry, cancel."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any
from uuid import UUID

from pilot import db, progress
from pilot.cli import acting
from pilot.cli.terminal import answer, say, show
from pilot.engine import executions, receipts
from pilot.engine.status import FINAL, ExecutionStatus
from pilot.engine.users import SessionUser
from pilot.reports import execution as one
from pilot.reports import executions as many
from pilot.reports.listing import Wanted

LOOK_S = 1.0
NOT_COMPLETED = 6
SEEN = ("resume", "retry")  # what is done after a receipt


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list executions, the newest first")
    listing.add_argument("--status", choices=[str(status) for status in ExecutionStatus])
    listing.set_defaults(run=_list)
    for name, text, run in (
        ("show", "show how it stands, step by step", _show),
        ("tail", "print each event until it ends", _tail),
        ("why", "say in one sentence why it does not move", _why),
        ("pause", "pause at the next step", _act(executions.pause, "Asked to pause.")),
        ("resume", "go on with the stored outputs", _go_on("resume", executions.resume)),
        ("retry", "run the failed steps again", _go_on("retry", executions.retry_failed)),
        ("cancel", "start nothing more", _act(executions.cancel, "Asked to cancel.")),
    ):
        command = actions.add_parser(name, help=text)
        command.add_argument("execution", type=UUID)
        if name in SEEN:
            command.add_argument("--receipt", action="store_true", help="only show what would run")
        command.set_defaults(run=run)


def _list(args: Namespace) -> None:
    acting.connect()
    person = acting.person(args)
    with db.reading(person.id) as session:
        found = many.listed(session, many.Filters(args.status), Wanted("-started", size=100))
    if args.json:
        show([{name: _plain(value) for name, value in row.items()} for row in found.rows])
        return
    for row in found.rows:
        say(f"{row['id']}  {row['status']:<22} {row['agent_name']}")


def _show(args: Namespace) -> None:
    acting.connect()
    shown = _shown(args.execution, acting.person(args))
    row = shown.row
    if args.json:
        steps = [
            {"path": step.path, "status": step.status, "duration_ms": step.duration_ms}
            for step in shown.steps
        ]
        facts = {"id": str(row.id), "agent": row.agent_name, "status": row.status}
        show(facts | {"output": row.output, "error": row.error, "steps": steps})
        return
    say(f"{row.agent_name}: {row.status.replace('_', ' ')} {shown.waiting_words}".rstrip())
    for step in shown.steps:
        took = f"{step.duration_ms} ms" if step.duration_ms is not None else ""
        say(f"  {step.status:<12} {step.path} {took}".rstrip())
    if row.error:
        say(f"  {row.error.get('message', '')}")


def _shown(execution_id: UUID, person: SessionUser) -> one.Shown:
    with db.reading(person.id) as session:
        return one.shown(session, execution_id)


def _tail(args: Namespace) -> int:
    """Follow the events; the exit code says whether it completed."""
    acting.connect()
    person, seen = acting.person(args), 0
    with progress.listening(args.execution) as ear:
        while True:
            ear.clear()
            with db.reading(person.id) as session:
                status = executions.find(session, args.execution).status
                fresh = one.events(session, args.execution, seen)
            for event in fresh:
                _print_event(args, event)
            seen = fresh[-1]["seq"] if fresh else seen
            if status in FINAL and not fresh:
                return 0 if status == ExecutionStatus.COMPLETED else NOT_COMPLETED
            if not fresh:
                ear.wait(LOOK_S)


def _print_event(args: Namespace, event: dict[str, Any]) -> None:
    if args.json:
        show({name: _plain(value) for name, value in event.items()})
        return
    facts = ", ".join(f"{name} {value}" for name, value in event["data"].items())
    say(f"{event['at']:%H:%M:%S} {event['path'] or event['kind']}: {facts}")


def _why(args: Namespace) -> None:
    acting.connect()
    shown = _shown(args.execution, acting.person(args))
    status = shown.row.status.replace("_", " ")
    why = shown.waiting_words or shown.row.status_reason or "nothing holds it"
    answer(args, {"status": shown.row.status, "why": why}, f"It is {status}: {why}.")


def _act(operation: Callable[..., None], done: str) -> Callable[[Namespace], None]:
    def run(args: Namespace) -> None:
        acting.connect()
        operation(args.execution, by=acting.actor(), user_id=acting.person(args).id)
        status = _shown(args.execution, acting.person(args)).row.status
        answer(args, {"status": status}, done)

    return run


def _go_on(kind: str, operation: Callable[..., None]) -> Callable[[Namespace], None]:
    def run(args: Namespace) -> None:
        acting.connect()
        person = acting.person(args)
        with db.reading(person.id) as session:
            made = receipts.receipt(session, args.execution, kind)
        facts = {
            "reused": [line.path for line in made.reused],
            "runs": [line.path for line in made.runs],
            "sent_again": [line.path for line in made.again],
        }
        if not args.receipt:
            by = acting.actor()
            operation(args.execution, by=by, user_id=person.id, seen_seq=made.seq)
        words = f"Reused: {len(made.reused)} steps. To run: {', '.join(facts['runs']) or 'none'}."
        answer(args, facts, words)

    return run


def _plain(value: Any) -> Any:
    """Return a value of a row as JSON data."""
    simple = value is None or isinstance(value, str | int | float | bool | dict | list)
    return value if simple else str(value)
