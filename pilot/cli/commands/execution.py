"""Executions: list, show and follow them; pause, resume, retry, fork, migrate or cancel one."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from pilot import db, money, progress, strictjson
from pilot.cli import acting, bulk
from pilot.cli.named import pairs
from pilot.cli.terminal import answer, complain, confirmed, say, show
from pilot.engine.agents import agents
from pilot.engine.life import executions, forks, moving, receipts, retrying
from pilot.engine.life.receipts import Receipt
from pilot.engine.people.levels import OPERATE, VIEW
from pilot.engine.people.users import SessionUser
from pilot.engine.providers import budgets
from pilot.engine.status import FINAL, RESUMABLE, ExecutionStatus
from pilot.engine.workflow import inputs
from pilot.errors import InvalidError, Issue
from pilot.reports import execution as report
from pilot.reports import executions as rows
from pilot.reports.execution import Shown
from pilot.reports.execution_steps import Step
from pilot.reports.listing import SIZES, Wanted

NOT_DONE, NOT_COMPLETED = 1, 6
REPEATS = "let what happened happen once more"
LOOK_S = 1.0  # between two looks without a signal
ASKS = "Nobody knows whether it happened: answer it on the execution's page first."
RESTS = "It rests until somebody goes on: pilot execution resume {}"


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list executions, the newest first")
    listing.add_argument("--status", choices=[str(one) for one in ExecutionStatus])
    listing.add_argument("--agent", metavar="AGENT", help="the agent's id or its exact name")
    listing.add_argument("--query", default="", metavar="TEXT", help="in agent, error or id")
    listing.add_argument("--most", type=int, choices=SIZES, default=SIZES[0])
    listing.set_defaults(run=_list, needs=VIEW)
    for name, action, needs, text in (
        ("show", _show, VIEW, "show its steps, attempts and errors"),
        ("tail", _tail, VIEW, "print each event as it happens, until the end"),
        ("why", _why, VIEW, "say in one sentence why it does not move"),
        ("pause", _pause, OPERATE, "pause before the next step"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("execution", type=UUID)
        one.set_defaults(run=action, needs=needs)
    for name, action, text in (
        ("resume", _resume, "go on, after showing what is reused and what runs"),
        ("retry", _retry, "run failed steps, or one and all after it, again, after showing which"),
        ("cancel", _cancel, "stop it for good"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("execution", type=UUID)
        one.add_argument("--yes", action="store_true", help="do not ask at the terminal")
        if name != "cancel":
            one.add_argument("--receipt", action="store_true", help="only show what would run")
        if name == "retry":
            one.add_argument("--from", dest="step", metavar="STEP", help="a step, by its path")
            one.add_argument("--repeat-effects", action="store_true", help=REPEATS)
        one.set_defaults(run=action, needs=OPERATE)
    bulk.arguments(actions.add_parser("bulk", help="cancel, pause, resume or retry all that match"))
    fork = actions.add_parser("fork", help="begin a new one that reuses what is unchanged")
    fork.add_argument("execution", type=UUID)
    fork.add_argument("--input", action="append", default=[], metavar="NAME=VALUE")
    fork.add_argument("--version", type=int, help="of the workflow; without it, the same")
    fork.add_argument("--yes", action="store_true", help="do not ask at the terminal")
    fork.add_argument("--receipt", action="store_true", help="only show what would run")
    fork.set_defaults(run=_fork, needs=OPERATE)
    move = actions.add_parser("migrate", help="go on with another version of its workflow")
    move.add_argument("execution", type=UUID)
    move.add_argument("--version", type=int, help="without it, the newest")
    move.add_argument("--yes", action="store_true", help="do not ask at the terminal")
    move.add_argument("--receipt", action="store_true", help="only show what would run")
    move.add_argument("--repeat-effects", action="store_true", help=REPEATS)
    move.set_defaults(run=_migrate, needs=OPERATE)
    budget = actions.add_parser("budget", help="raise what it may take; a paused one goes on")
    budget.add_argument("execution", type=UUID)
    budget.add_argument("--usd", default="", help="the new limit in USD, such as 2.50")
    budget.add_argument("--tokens", default="", help="the new limit in tokens")
    budget.set_defaults(run=_budget, needs=OPERATE)


def _reading(person: SessionUser) -> Any:
    return db.reading(person.id, sees_all=acting.sees_all(person))


def _who(person: SessionUser) -> dict[str, Any]:
    everybody = acting.sees_all(person)
    return {"by": acting.actor(), "user_id": person.id, "sees_all": everybody}


def _list(args: Namespace) -> None:
    acting.connect()
    with _reading(acting.person(args)) as session:
        filters = rows.Filters(status=args.status, agent=_agent(session, args), q=args.query)
        found = rows.listed(session, filters, Wanted("-started", size=args.most))
    if args.json:
        show(strictjson.plain(found.rows))
        return
    for row in found.rows:
        error = (
            f"  {row['failed_step'] or ''}: {row['error_message']}" if row["error_message"] else ""
        )
        at = f"{row['created_at']:%Y-%m-%d %H:%M:%S}Z"
        say(f"{row['id']}  {at}  {_words(row['status'])}  {row['agent_name']}{error}")
    if len(found.rows) < found.total:
        complain(f"{len(found.rows)} of {found.total_text} are shown.")


def _agent(session: Session, args: Namespace) -> UUID | None:
    return agents.find(session, args.agent).id if args.agent else None


def _show(args: Namespace) -> None:
    acting.connect()
    with _reading(acting.person(args)) as session:
        shown = report.shown(session, args.execution)
    if args.json:
        show(strictjson.plain(report.facts(shown)))
        return
    _tell(shown)


def _tell(shown: Shown) -> None:
    row = shown.row
    say(f"{row.agent_name}: {_words(row.status)} {shown.waiting_words}".rstrip())
    if shown.refused:
        say(f"{shown.refused['message']} Raise it: pilot execution budget {row.id} --usd ...")
    say(f"Version {shown.version_words}; runs {shown.runs_words}; by {shown.started_by}")
    own, whole = shown.calls.cost, row.spent_usd
    within = f", {money.usd(whole)} with the executions within" if whole != own else ""
    say(f"Cost: {money.total(own, shown.calls.unpriced)}{within}")
    if row.error:
        say(f"Error in {row.error.get('step') or 'the execution'}: {row.error.get('message')}")
    for step in shown.steps:
        _tell_step(step)
    if row.output is not None:
        say(f"Output: {strictjson.dumps(row.output)}")


def _tell_step(step: Step) -> None:
    took = f"  {step.duration_ms} ms" if step.duration_ms is not None else ""
    tries = f"  {len(step.attempts)} attempts" if len(step.attempts) > 1 else ""
    say(f"  {_words(step.status):<12} {step.path}{took}{tries}")
    for attempt in step.attempts:
        if attempt.error:
            said = f"{attempt.error.get('class')}: {attempt.error.get('message')}"
            say(f"{'':<15} attempt {attempt.number}: {said}")


def _tail(args: Namespace) -> int:
    acting.connect()
    person = acting.person(args)
    said = ""
    with progress.listening(args.execution) as ear:
        seen = 0
        while True:
            ear.clear()
            row, news = _news(person, args.execution, seen)
            for event in news:
                _tell_event(event, as_json=args.json)
                seen = event["seq"]
            if news:
                continue
            if row.status in FINAL:
                return 0 if row.status == ExecutionStatus.COMPLETED else NOT_COMPLETED
            if row.status in RESUMABLE and said != row.status:
                complain(RESTS.format(row.id))
            said = row.status
            ear.wait(LOOK_S)


def _news(person: SessionUser, execution_id: UUID, seen: int) -> tuple[Any, list[dict[str, Any]]]:
    """Return the execution and, read after it, what happened since an event."""
    with _reading(person) as session:
        row = executions.find(session, execution_id)
        return row, report.events(session, execution_id, seen)


def _tell_event(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show(strictjson.plain(event))
        return
    facts = ", ".join(f"{name} {_word(value)}" for name, value in event["data"].items())
    about = event["path"] or event["kind"]
    say(f"{event['at']:%H:%M:%S}.{event['at'].microsecond // 1000:03}Z  {about}  {facts}")


def _word(value: Any) -> str:
    return value if isinstance(value, str) else strictjson.dumps(value)


def _words(status: str) -> str:
    return status.replace("_", " ")


def _pause(args: Namespace) -> int:
    acting.connect()
    executions.pause(args.execution, **_who(acting.person(args)))
    return _done(args, "Asked to pause: it stops before the next step.")


def _resume(args: Namespace) -> int:
    return _go_on(args, "resume", executions.resume, "Resumed.")


def _budget(args: Namespace) -> int:
    acting.connect()
    limit = budgets.read(args.usd, args.tokens)
    executions.raise_budget(args.execution, limit, **_who(acting.person(args)))
    return _done(args, "The budget is raised.")


def _retry(args: Namespace) -> int:
    if not args.step:
        return _go_on(args, "retry", retrying.failed, "The failed steps run again.")
    act = partial(retrying.from_step, path=args.step, repeat_effects=args.repeat_effects)
    return _go_on(args, "retry", act, "It runs again from that step.", args.step)


def _why(args: Namespace) -> None:
    acting.connect()
    with _reading(acting.person(args)) as session:
        shown = report.shown(session, args.execution)
    status = shown.row.status
    words = f"It is {_words(status)}: {shown.why.removesuffix('.')}."
    answer(args, {"status": status, "why": shown.why}, words)


def _go_on(
    args: Namespace, kind: str, act: Callable[..., None], done: str, step: str | None = None
) -> int:
    """Show the receipt, ask at a terminal, and go on only if it still holds."""
    acting.connect()
    person = acting.person(args)
    with _reading(person) as session:
        made = receipts.receipt(session, args.execution, kind, step)
    if not args.json:
        for line in _receipt(made):
            say(line)
    if not args.receipt:
        if made.asks:
            raise InvalidError([Issue("E_INPUT", f"/{one.path}", ASKS) for one in made.asks])
        if not confirmed(f"{kind.capitalize()} it?", yes=args.yes):
            return NOT_DONE
        act(args.execution, seen_seq=made.seq, **_who(person))
    facts = strictjson.plain(made.facts())
    again = [one.path for one in made.again]
    text = "Nothing was done." if args.receipt else done
    return _done(args, text, **facts, sent_again=again, live_worker=made.live_worker)


def _fork(args: Namespace) -> int:
    setup = acting.setup(acting.connect())
    person = acting.person(args)
    with _reading(person) as session:
        asked = forks.Fork(_inputs(session, args), args.version)
        found = forks.plan(session, args.execution, asked, user_id=person.id, setup=setup)
        made = receipts.of_fork(session, found)
    if not args.json:
        for line in _receipt(made):
            say(line)
    facts = strictjson.plain(made.facts())
    if args.receipt:
        return _done(args, "Nothing was done.", **facts)
    if not confirmed("Fork it?", yes=args.yes):
        return NOT_DONE
    new = forks.fork(args.execution, asked, seen_seq=made.seq, setup=setup, **_who(person))
    answer(args, {"execution": str(new)} | facts, f"Execution {new}")
    return 0


def _migrate(args: Namespace) -> int:
    acting.connect()
    person = acting.person(args)
    with _reading(person) as session:
        row = executions.find(session, args.execution)
        made = receipts.of_move(session, moving.plan(session, row, args.version))
    if not args.json:
        for line in _receipt(made):
            say(line)
    facts = strictjson.plain(made.facts())
    if args.receipt:
        return _done(args, "Nothing was done.", **facts)
    if not confirmed(f"Go on with version {made.version}?", yes=args.yes):
        return NOT_DONE
    asked = moving.Move(made.version, args.repeat_effects)
    moving.move(args.execution, asked, seen_seq=made.seq, **_who(person))
    return _done(args, f"Version {made.version} took over.", **facts)


def _inputs(session: Session, args: Namespace) -> dict[str, Any] | None:
    """Return the inputs of the old one with those that are given; None: none is given."""
    given = pairs(args.input)
    if not given:
        return None
    row = executions.find(session, args.execution)
    agent, number = agents.load(session, row.agent_id), args.version or row.version_number
    schema = agents.version(session, agent, number).inputs_schema if number else None
    return dict(row.inputs) | inputs.from_form(schema, given)


def _cancel(args: Namespace) -> int:
    acting.connect()
    person = acting.person(args)
    with _reading(person) as session:
        row = executions.find(session, args.execution)
    question = f"Cancel {row.agent_name}? What it sent or wrote stays; it cannot be resumed."
    if not confirmed(question, yes=args.yes):
        return NOT_DONE
    executions.cancel(args.execution, **_who(person))
    return _done(args, "Cancelled: nothing new starts.")


def _done(args: Namespace, text: str, **facts: Any) -> int:
    with _reading(acting.person(args)) as session:
        row = executions.find(session, args.execution)
    answer(args, {"execution": str(row.id), "status": row.status} | facts, text)
    return 0


def _receipt(made: Receipt) -> Iterator[str]:
    """Yield what would happen, line by line."""
    usd = money.total(made.kept_usd, made.kept_unpriced)
    yield f"Reused: {len(made.reused)} steps, {made.kept_ms} ms of work and {usd} kept"
    for line in made.runs:
        usual = "unknown" if line.ms is None else f"{line.ms} ms"
        yield f"Runs: {line.path}, usually {usual}"
    for line in made.again:
        yield f"Sent again ({line.effect}): {line.path} with the key {line.key}"
    for one in made.effects:
        yield f"Happens once more ({one.effect}), under a new key: {one.path}"
    for line in made.asks:
        yield f"Needs an answer first: {line.path}"
    if not made.live_worker:
        yield "No worker is running: it stays queued until one is (pilot worker)."
