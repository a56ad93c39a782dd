"""Run past executions again offline, and tell whether all is as it was.

What only computes runs really; actions, models, people and events give what was recorded. With
--model the AI steps ask that model, and its answers and cost are compared. The exit code is 0 if
all is as it was, 1 if something differs.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any
from uuid import UUID

from pilot import db, money, strictjson
from pilot.cli import acting
from pilot.cli.terminal import say, show
from pilot.engine.agents import agents
from pilot.engine.life import replays
from pilot.engine.people.levels import OPERATE
from pilot.engine.people.users import SessionUser
from pilot.errors import InvalidError, NotFoundError
from pilot.reports import replays as report
from pilot.reports import results
from pilot.reports.calls import Calls
from pilot.reports.replays import Answer, Replay

DIFFERENT = 1
MOST_LINES = 20  # of one execution
USUAL = 20


def arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("execution", type=UUID, nargs="*", help="executions that have ended")
    parser.add_argument("--agent", help="the newest executions of this agent, by id or exact name")
    parser.add_argument(
        "--last",
        type=_count,
        default=USUAL,
        metavar="N",
        help=f"how many of them (default: {USUAL}, to {replays.MOST_PAST})",
    )
    parser.add_argument("--version", type=int, help="of the workflow; without it, the newest")
    parser.add_argument("--model", help="ask this model in the place of recorded answers: it costs")
    parser.set_defaults(run=_test, needs=OPERATE, usage=parser.error)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= replays.MOST_PAST):
        raise ArgumentTypeError(f"{text!r} is no number from 1 to {replays.MOST_PAST}")
    return int(text)


def _test(args: Namespace) -> int:
    if bool(args.execution) == bool(args.agent):
        args.usage("name executions, or an agent with --agent")
    setup = acting.setup(acting.connect())
    person = acting.person(args)
    asked = replays.Asked(args.version, args.model, "cli")
    by: dict[str, Any] = {"by": acting.actor(), "user_id": person.id, "setup": setup}
    by |= {"sees_all": acting.sees_all(person)}
    begun: list[tuple[UUID, UUID | str]] = []
    for one in _wanted(args, person):
        try:
            begun.append((one, replays.begin(one, asked, **by)))
        except InvalidError as error:  # the others are tests all the same
            begun.append((one, " ".join(issue.message for issue in error.issues)))
    shown = [(one, _shown(person, made)) for one, made in begun]
    if args.json:
        show([_facts(one, found) for one, found in shown])
    else:
        _tell(shown)
    return 0 if all(isinstance(found, Replay) and found.equal for _, found in shown) else DIFFERENT


def _wanted(args: Namespace, person: SessionUser) -> list[UUID]:
    if args.execution:
        return list(dict.fromkeys(args.execution))
    with _reading(person) as session:
        agent = agents.find(session, args.agent)
        found = replays.past(session, agent.id, args.last)
    if not found:
        raise NotFoundError(f"{agent.name} has no execution yet that ended and kept its outputs.")
    return found


def _reading(person: SessionUser) -> Any:
    return db.reading(person.id, sees_all=acting.sees_all(person))


def _shown(person: SessionUser, made: UUID | str) -> Replay | str:
    """Return a replay once it has ended, or why it could not begin."""
    if isinstance(made, str):
        return made
    results.awaited(lambda: _reading(person), made)
    with _reading(person) as session:
        return report.shown(session, made)


def _facts(execution_id: UUID, found: Replay | str) -> Any:
    if isinstance(found, str):
        return {"execution_id": str(execution_id), "equal": False, "refused": found}
    return strictjson.plain(report.facts(found))


def _tell(shown: list[tuple[UUID, Replay | str]]) -> None:
    for execution_id, found in shown:
        if isinstance(found, str):
            say(f"{execution_id}: different: it cannot be run any more: {found}")
            continue
        word = "equal" if found.equal else "different"
        say(f"{execution_id}: {word}, {found.steps:,} steps (replay {found.id})")
        for one in found.differences[:MOST_LINES]:
            say(f"  {one.path or 'the execution'}: {one.words}")
        if len(found.differences) > MOST_LINES:
            say(f"  and {len(found.differences) - MOST_LINES:,} more differences")
        for answer in found.answers:
            _tell_answer(answer)
        if found.model is not None:
            say(f"  cost: {_paid(found.before)}; with {found.model}: {_paid(found.now)}")
    if len(shown) > 1:
        same = sum(isinstance(found, Replay) and found.equal for _, found in shown)
        say(f"{same:,} of {len(shown):,} executions are as they were.")


def _tell_answer(one: Answer) -> None:
    if not one.valid:
        say(f"  {one.path}: no valid answer: {one.message}")
        return
    named = ", ".join(one.differing[:MOST_LINES])
    differs = f"; other: {named}" if named else ""
    say(f"  {one.path}: valid, {one.equal:,} of {one.values:,} values as they were{differs}")


def _paid(paid: Calls) -> str:
    return f"{money.total(paid.cost, paid.unpriced)} for {len(paid.counted):,} calls"
