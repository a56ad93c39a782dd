"""The loop of llm_decision: a model's turns and the actions it chooses, each a step of its own.

Turns stand at `decide/turn[1]`, their actions at `decide/turn[1]/mail.send`, each with intent, key
and result. The conversation is rebuilt from these rows, so a resume repeats neither.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from pilot import strictjson
from pilot.engine.acting import actions, ai, blobs
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, StepContext, Work
from pilot.engine.expressions import Scope
from pilot.engine.running import attempts, effects, records, unpacking
from pilot.engine.running.run import Frame, Result, Run
from pilot.engine.status import StepStatus
from pilot.engine.steps import action, llm_decision
from pilot.errors import ErrorClass, StepError
from pilot.llm import calls, tokens
from pilot.llm.messages import Message, Reply, Request, ToolCall, ToolResult, ToolSpec

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\.[a-z][a-z0-9_]{0,40}")
_UNFINISHED = frozenset({StepStatus.PENDING, StepStatus.WAITING, StepStatus.UNKNOWN})


async def perform(run: Run, step: Any, frame: Frame, scope: Scope) -> Result:
    """Bring a decision as far as it goes now; its own fields are read in `scope`."""
    path = frame.prefix + step.id
    latest = run.history.latest(path)
    asked = latest.input if latest is not None else None
    if asked is None or latest is None or latest.status is not StepStatus.RUNNING:
        outcome = await attempts.decide(run, step, path, scope, asked)
        if isinstance(outcome, Result):
            return outcome
        asked = outcome.decided
    try:
        return await _Conversation(run, step, path, frame, asked).go_on()
    except StepError as error:
        return await records.fail(run, step, path, scope, error)


class _StopError(Exception):
    """The loop cannot go on now: it waits, has to stop, or a person has to say something."""

    def __init__(self, status: StepStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class _Conversation:
    """What was said and done so far."""

    run: Run
    step: llm_decision.Params
    path: str
    frame: Frame
    asked: dict[str, Any]
    said: list[Message] = field(default_factory=list)
    done: list[dict[str, Any]] = field(default_factory=list)  # the actions of the output
    seen: Counter[str] = field(default_factory=Counter)
    spent: int = 0  # tokens

    async def go_on(self) -> Result:
        """Take turns until there is an answer.

        Raises:
            StepError: a turn failed, or a limit was reached.
        """
        results: list[dict[str, Any]] = []
        try:
            for number in range(1, self.step.max_iterations + 1):
                turn = await self._turn(number, results)
                if not turn["calls"]:
                    output = turn["answer"] | {"actions": self.done}
                    return await records.complete_container(self.run, self.step, self.path, output)
                if number < self.step.max_iterations:
                    results = await self._results(number, turn["calls"])
        except _StopError as stop:
            return Result(stop.status)
        text = (
            f"The model gave no answer within {self.step.max_iterations} turns: say in the prompt "
            "when it is done, or raise max_iterations."
        )
        raise StepError(ErrorClass.LIMIT, text)

    async def _turn(self, number: int, results: list[dict[str, Any]]) -> dict[str, Any]:
        if self.spent > llm_decision.MAX_TOKENS:
            text = f"The decision took {self.spent:,} tokens; {llm_decision.MAX_TOKENS:,} at most."
            raise StepError(ErrorClass.LIMIT, text)
        if results:
            told = (ToolResult(one["id"], one["action"], one["text"], one["ok"]) for one in results)
            self.said.append(Message("results", results=tuple(told)))
        work = Turn(number, self.asked, results, tuple(self.said))
        result = await self._bring_on(self.step, f"{self.path}/turn[{number}]", work)
        if result.status is StepStatus.FAILED:
            error = result.error or {}
            raise StepError(ErrorClass(error.get("class", "internal")), str(error.get("message")))
        turn: dict[str, Any] = await unpacking.value(self.run, result.output)
        asked_for = (ToolCall(one["id"], one["action"], one["params"]) for one in turn["calls"])
        self.said.append(Message("assistant", turn["text"], tuple(asked_for)))
        self.spent += turn["tokens"]
        return turn

    async def _results(self, number: int, chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Let the chosen actions happen; once the next turn has begun, what it was told stands."""
        for one in chosen:
            self._count(one)
        begun = self.run.history.latest(f"{self.path}/turn[{number + 1}]")
        results = begun.input["results"] if begun is not None and begun.input is not None else None
        if results is None:
            results = []
            names = Counter[str]()
            for one in chosen:
                name = one["action"] if _NAME.fullmatch(one["action"]) else "unknown"
                names[name] += 1
                place = f"[{names[name]}]" if names[name] > 1 else ""
                path = f"{self.path}/turn[{number}]/{name}{place}"
                results.append(await self._act(path, one))
        for one, result in zip(chosen, results, strict=True):
            self.done.append({"action": one["action"], "params": one["params"], "ok": result["ok"]})
        return results

    def _count(self, one: dict[str, Any]) -> None:
        same = f"{one['action']} {strictjson.canonical(one['params'])}"
        self.seen[same] += 1
        if self.seen[same] >= llm_decision.MAX_EQUAL_CALLS:
            text = (
                f"The model called {one['action']} {self.seen[same]} times with equal parameters."
            )
            raise StepError(ErrorClass.LOOP_DETECTED, text)

    async def _act(self, path: str, one: dict[str, Any]) -> dict[str, Any]:
        plugin, _, name = one["action"].partition(".")
        step = action.Params(
            id=self.step.id, type="action", plugin=plugin, action=name, retry=self.step.retry
        )
        work = Chosen(one["action"], one["params"], frozenset(self.step.actions))
        result = await self._bring_on(step, path, work)
        told = {"id": one["id"], "action": one["action"]}
        if result.status is StepStatus.COMPLETED:
            return told | {"ok": True, "text": _cut(ai.data(blobs.shown(result.output)))}
        if result.status is StepStatus.SKIPPED:
            return told | {"ok": False, "text": "A person skipped this action."}
        return told | {"ok": False, "text": _cut(str((result.error or {}).get("message")))}

    async def _bring_on(self, step: Any, path: str, work: Work) -> Result:
        """Reuse what is recorded of a part, or run it.

        Raises:
            _StopError: it is not finished now.
        """
        result = attempts.recall(self.run, step, path, self.frame.scope)
        if result is None:
            if self.run.stop or self.frame.stopped:
                raise _StopError(StepStatus.PENDING)
            around = self.frame.scope
            scope = Scope(around.roots, self.run.clock(path), around.zone)
            result = await effects.perform(self.run, step, path, scope, work)
        if result.status in _UNFINISHED:
            raise _StopError(result.status)
        return result


def _cut(text: str) -> str:
    limit = llm_decision.MAX_ANSWER_CHARACTERS
    if len(text) <= limit:
        return text
    return f"{text[:limit]} (cut: {len(text) - limit:,} more characters)"


@dataclass
class Turn:
    """One question to the model, with all that was said before."""

    number: int
    asked: dict[str, Any]
    results: list[dict[str, Any]]
    said: tuple[Message, ...]
    TIMEOUT_S: float = llm_decision.TIMEOUT_S

    def resolve(self, _step: llm_decision.Params, _context: StepContext) -> dict[str, Any]:
        """Return what is new in this turn."""
        return {"turn": self.number, "results": self.results}

    def effect(
        self, _step: llm_decision.Params, _context: StepContext, _given: dict[str, Any]
    ) -> str:
        """A model call changes nothing outside."""
        return "pure"

    def gives(self, step: llm_decision.Params, _context: StepContext) -> dict[str, Any]:
        """Return the schema of a turn that gives the answer."""
        answer = ai.answer_schema(llm_decision.answer_schema(step))
        nothing = {"calls": {"const": []}, "tokens": {"const": 0}, "text": {"const": ""}}
        return {"type": "object", "properties": nothing | {"answer": answer}}

    def perform(
        self,
        step: llm_decision.Params,
        context: StepContext,
        attempt: Attempt,
        timeout_s: float,
        again: bool,  # noqa: ARG002, FBT001
    ) -> Done:
        """Ask the model what to do, or for its answer.

        Raises:
            StepError: no model is set up, none gave a usable answer, or the turn is too long.
        """
        schema = llm_decision.answer_schema(step)
        asked = ai.request(step, context, attempt, schema, timeout_s, self.asked)
        asked = replace(
            asked, messages=asked.messages + self.said, tools=_tools(step.actions, context)
        )
        _refuse_long(asked)
        read = ai.reader(schema)

        def read_turn(reply: Reply) -> calls.Reading:
            return calls.Reading(None, []) if reply.calls else read(reply)

        response = ai.ask(asked, context, read_turn)
        chosen = [
            {"id": call.id, "action": call.name, "params": call.params} for call in response.calls
        ]
        output = {
            "text": response.text,
            "calls": chosen,
            "answer": response.value,
            "tokens": response.total_tokens,
        }
        return Done(output, ai.notes(response))


def _refuse_long(asked: Request) -> None:
    size = tokens.of_request(asked)
    if size > llm_decision.MAX_TOKENS_PER_TURN:
        text = f"This turn would send about {size:,} tokens; 50,000 is the limit. Give it less."
        raise StepError(ErrorClass.LIMIT, text, sent=False)


def _tools(names: list[str], context: StepContext) -> tuple[ToolSpec, ...]:
    """Return the actions that the model may choose from: listed, present and granted."""
    granted = context.execution.get("grants")
    known = context.resources.catalogue.actions
    return tuple(
        ToolSpec(name, known[name].summary, known[name].params_schema)
        for name in names
        if name in known and (granted is None or name in granted)
    )


@dataclass
class Chosen:
    """One action that the model chose, with the parameters it wrote: data, never templates."""

    name: str
    params: Any
    listed: frozenset[str]
    TIMEOUT_S: float = action.TIMEOUT_S

    def resolve(self, _step: action.Params, context: StepContext) -> dict[str, Any]:
        """Return the parameters, checked by the action and its rules.

        Raises:
            StepError: the action is not listed or not granted (config), or the parameters misfit.
        """
        if self.name not in self.listed:
            text = f"{self.name[:80]} is none of the actions that this step may call."
            raise StepError(ErrorClass.CONFIG, text, sent=False)
        return actions.accept(self.name, self.params, context)

    def effect(self, _step: action.Params, context: StepContext, given: dict[str, Any]) -> str:
        """Return the effect class of this call."""
        return actions.effect(self.name, None, given, context)

    def gives(self, _step: action.Params, context: StepContext) -> dict[str, Any]:
        """Return the schema of the action's output."""
        return actions.find(self.name, context).output_schema

    def perform(
        self,
        _step: action.Params,
        context: StepContext,
        attempt: Attempt,
        timeout_s: float,
        again: bool,  # noqa: FBT001
    ) -> Any:
        """Let the action happen."""
        return actions.perform(self.name, context, attempt, timeout_s, again=again)
