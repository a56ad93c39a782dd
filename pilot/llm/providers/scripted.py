"""Recorded answers from a file instead of a model: for demos and tests, at cost 0, labelled so.

The file is JSON, `{"rules": [{"match": {...}, ...}]}`. A rule matches when all of its match holds:
`step` and `role` equal the request's, `text` occurs in what is sent, `nth` is the number of the
turn (1 + answers given so far in the conversation). The first rule that matches answers, with
`answer` (a text, or a value that is sent as JSON) and `calls` [{action, params}], or fails with
`fault` (a failure reason). `usage` holds token counts; `latency_s` delays.
"""

import threading
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from pilot import strictjson
from pilot.errors import BadJsonError
from pilot.llm.messages import FREE, Message, Model, Reply, Request, ToolCall, Usage
from pilot.llm.reasons import FailureReason, ModelFaultError

LABEL = "recorded answers"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """What a request has to be for a rule to answer it; what is left out is not looked at."""

    step: StrictStr | None = None
    role: StrictStr | None = None
    text: StrictStr | None = None
    nth: int | None = None


class Call(_Part):
    """An action that the answer asks for."""

    action: StrictStr
    params: Any = Field(default_factory=dict)


class Counts(_Part):
    """Tokens that the answer says it took."""

    input: int = 0
    cache_read: int = 0
    output: int = 0
    reasoning: int = 0


class Rule(_Part):
    """One recorded answer."""

    match: Match = Match()
    answer: Any = ""
    calls: list[Call] = []
    stop: Literal["end", "truncated", "refusal"] = "end"
    fault: FailureReason | None = None
    usage: Counts | None = None
    latency_s: Annotated[float, Field(ge=0, le=600)] = 0


class Script(_Part):
    """All recorded answers of a file."""

    rules: list[Rule]


def model(script: Path) -> Model:
    """Return the model that answers from a file."""
    return Model(LABEL, "scripted", LABEL, FREE, {"script": str(script)})


def send(request: Request, model: Model) -> Reply:
    """Answer from the script.

    Raises:
        ModelFaultError: no rule matches or the file cannot be used (config); or a rule says so.
    """
    path = Path(model.connection["script"])
    turn = 1 + sum(message.role == "assistant" for message in request.messages)
    sent = "\n".join([request.system, *map(_text, request.messages)])
    found = next((rule for rule in _rules(path) if _matches(rule, request, turn, sent)), None)
    if found is None:
        text = f"No recorded answer in {path.name} matches step {request.name!r}, turn {turn}."
        raise ModelFaultError(FailureReason.CONFIG, text)
    if found.latency_s:
        threading.Event().wait(min(found.latency_s, request.timeout_s))
    if found.latency_s > request.timeout_s:
        text = f"No answer within {request.timeout_s:g} s."
        raise ModelFaultError(FailureReason.TIMEOUT, text)
    if found.fault is not None:
        raise ModelFaultError(found.fault, f"The script says: {found.fault}.")
    return _reply(found, turn)


def _reply(rule: Rule, turn: int) -> Reply:
    answer = rule.answer if isinstance(rule.answer, str) else strictjson.dumps(rule.answer)
    calls = tuple(
        ToolCall(f"call_{turn}_{place}", call.action, call.params)
        for place, call in enumerate(rule.calls, 1)
    )
    usage = Usage(**rule.usage.model_dump()) if rule.usage is not None else None
    return Reply(answer, calls, "calls" if calls else rule.stop, LABEL, usage)


def _matches(rule: Rule, request: Request, turn: int, sent: str) -> bool:
    match = rule.match
    return (
        match.step in {None, request.name}
        and match.role in {None, request.role}
        and match.nth in {None, turn}
        and (match.text is None or match.text in sent)
    )


def _text(message: Message) -> str:
    return "\n".join([message.text, *(result.text for result in message.results)])


def _rules(path: Path) -> list[Rule]:
    try:
        return _script(path, path.stat().st_mtime_ns).rules
    except OSError as error:
        text = f"The file of recorded answers {path} cannot be read: {error.strerror}."
        raise ModelFaultError(FailureReason.CONFIG, text) from error
    except (BadJsonError, ValidationError) as error:
        why = error.message if isinstance(error, BadJsonError) else _first(error)
        text = f"The file of recorded answers {path} cannot be used: {why}"
        raise ModelFaultError(FailureReason.CONFIG, text) from error


def _first(error: ValidationError) -> str:
    one = error.errors(include_url=False)[0]
    return f"{'/'.join(map(str, one['loc']))}: {one['msg']}."


@lru_cache(16)
def _script(path: Path, _changed_ns: int) -> Script:
    return Script.model_validate(strictjson.loads(path.read_bytes()))
