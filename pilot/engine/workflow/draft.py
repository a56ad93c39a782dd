"""What the planner hands over: a document, or questions, or a refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pilot.errors import type_json

Answers = Mapping[str, type_json]
Kind = Literal["select", "multiselect", "email", "text"]


@dataclass(frozen=True)
class Question:
    """Something that the goal does not say clearly; the answer goes to `plan` under `id`.

    `options` are the possible answers of a select or multiselect; `default` is only the one that
    a form shows first.
    """

    id: str
    text: str
    why: str
    kind: Kind = "text"
    options: tuple[str, ...] = ()
    default: type_json = None


@dataclass(frozen=True)
class Clause:
    """A part of the goal, and the steps (or `inputs.<name>`) that do what it says."""

    text: str
    covered_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """What became of a goal.

    The document is there only when nothing is left to ask; confidence is 0 to 1.
    """

    document: dict[str, Any] | None = None
    questions: list[Question] = field(default_factory=list)
    confidence: float = 0.0
    clauses: list[Clause] = field(default_factory=list)
    refusal: str | None = None
