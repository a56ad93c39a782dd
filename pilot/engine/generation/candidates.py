"""What a model answered, read as a workflow: decoded, repaired where only one fix fits, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pilot import older
from pilot.engine import validation
from pilot.engine.generation import flat, semantic_gate
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.workflow.document import FORMAT
from pilot.errors import BadJsonError, Issue, type_json
from pilot.llm import reading
from pilot.llm.reasons import FailureReason


@dataclass(frozen=True)
class Candidate:
    """A draft, and what is wrong with it."""

    document: dict[str, Any] | None
    issues: list[Issue]
    repairs: Mapping[str, int] = field(default_factory=dict)  # code -> fixes applied
    confidence: int = 0  # 0..100, as its author says
    reason: FailureReason | None = None  # None: it can be offered

    @property
    def errors(self) -> int:
        """How much keeps it from being saved."""
        return sum(one.severity == "error" for one in self.issues)


@dataclass(frozen=True)
class Rules:
    """What a draft is held against."""

    max_steps: int
    gate: str  # off, warn, block
    told: tuple[Any, ...] = ()  # what was said beside the goal: answers, the owner's address


def read(text: str, goal: str, known: Catalogue, rules: Rules) -> Candidate:
    """Return what an answer means."""
    try:
        value = reading.json_value(text)
    except BadJsonError as error:
        return Candidate(None, [Issue("E_JSON", "", error.message)], reason=FailureReason.SCHEMA)
    document, found = _document(value)
    if document is None:
        wrong = Issue("E_SCHEMA", "", "This is no workflow: an object with `steps` is needed.")
        return Candidate(None, [wrong], reason=FailureReason.SCHEMA)
    repaired = validation.repair(document, known, max_steps=rules.max_steps)
    issues = [*found, *repaired.issues]
    reason = None
    if any(one.severity == "error" for one in issues):
        reason = FailureReason.SCHEMA
    elif rules.gate != "off":
        missing = semantic_gate.check(goal, repaired.document, known, told=rules.told)
        issues += missing
        reason = FailureReason.SEMANTIC if missing and rules.gate == "block" else None
    sure = _confidence(value)
    return Candidate(repaired.document, issues, repaired.counts, sure, reason)


def _document(value: type_json) -> tuple[dict[str, Any] | None, list[Issue]]:
    if flat.is_flat(value):
        document, issues = flat.to_document(value)
        _ask_in_inputs(document, value.get("questions"))
        return document, issues
    if older.is_older(value):
        return older.convert(value).document, []
    if isinstance(value, dict) and "steps" in value:
        return {"format": FORMAT} | value, []
    return None, []


def _ask_in_inputs(document: dict[str, Any], questions: type_json) -> None:
    """Put a question into the input that it is about: it is asked when the agent starts."""
    properties = document.get("inputs", {}).get("properties", {})
    for one in questions if isinstance(questions, list) else []:
        name = one.get("parameter") if isinstance(one, dict) else None
        if isinstance(name, str) and name in properties and isinstance(one.get("text"), str):
            properties[name].setdefault("description", one["text"])


def _confidence(value: type_json) -> int:
    said = value.get("confidence") if isinstance(value, dict) else None
    if not isinstance(said, int | float) or isinstance(said, bool):
        return 0
    return round(max(0, min(100, said)))
