"""Finds every text of a step that holds expressions, and compiles it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, get_args

from pydantic import BaseModel

from pilot import strictjson
from pilot.engine import steps
from pilot.engine.expressions import Compiled
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.pointers import texts
from pilot.engine.language.references import compile_field, compile_template
from pilot.engine.language.step_fields import CONDITIONS, Kind, StepFields
from pilot.engine.transforms import Pipeline, compile_operations
from pilot.engine.workflow import faults
from pilot.engine.workflow.faults import Faults, Read
from pilot.engine.workflow.outline import bodies
from pilot.errors import ExpressionError, InvalidError, Issue, type_json

Place = tuple[str, ...]  # keys from the step to a field; * is each element


@dataclass(frozen=True)
class Written:
    """One text, condition or operation as it stands in a step."""

    path: str  # JSON Pointer within the step
    kind: Kind
    value: type_json  # of operations always the list, also where the step holds the only one


@dataclass(frozen=True)
class Compilation:
    """What compiling gave: an expression, a pipeline, or what is wrong."""

    reads: frozenset[Read]  # whatever their roots
    expression: Compiled | None = None
    pipeline: Pipeline | None = None
    issues: tuple[Issue, ...] = ()  # with paths within the value

    @property
    def failed(self) -> bool:
        """Whether it does not compile."""
        return self.expression is None and self.pipeline is None


def written(step: dict[str, Any]) -> list[Written]:
    """Return what a step holds of expressions, without its inner steps."""
    kind = step.get("type")
    model = steps.load(kind).Params if isinstance(kind, str) and kind in steps.names() else None
    found: list[Written] = []
    for place, marked in _marked(model or StepFields):
        for path, value in _at(step, place, ""):
            found += _leaves(step, path, marked, value)
    return found


def within(one: Written, place: str) -> str:
    """Return the place in a step of a place in the written value."""
    return place.removeprefix("/0") if one.path == "" else one.path + place


def compiled(one: Written) -> Compilation:
    """Return the compilation of a text; equal texts are compiled once per process."""
    if isinstance(one.value, str):
        return _compile_text(one.kind, one.value)
    return _compile_json(one.kind, strictjson.dumps(one.value))


def reads(step: dict[str, Any]) -> frozenset[Read]:
    """Return every path that a step reads, its inner steps included."""
    found = own_reads(step)
    for _, _, body in bodies(step):
        for inner in body if isinstance(body, list) else ():
            if isinstance(inner, dict):
                found |= reads(inner)
    return found


def own_reads(step: dict[str, Any]) -> frozenset[Read]:
    """Return every path that a step reads, its inner steps left out."""
    return frozenset[Read]().union(*(compiled(one).reads for one in written(step)))


def step_ids(paths: frozenset[Read]) -> Iterator[str]:
    """Yield the id of each step whose result is read; a resume address needs no result."""
    for path in paths:
        if path[0] == "steps" and len(path) > 1 and path[2:3] != ("resume_url",):
            yield str(path[1])


def read_cost(paths: frozenset[Read]) -> bool:
    """Say whether the cost of the execution is read, or all that is known of it."""
    spent = {(), ("cost_usd",), ("unpriced_calls",)}
    return any(path[0] == "execution" and path[1:2] in spent for path in paths)


def _leaves(step: dict[str, Any], path: str, kind: Kind, value: type_json) -> Iterator[Written]:
    if kind is Kind.OPERATION:
        if isinstance(value, list):
            yield Written(path, kind, value)
        elif isinstance(value, str):
            yield Written("", kind, [{"operation": value, "config": step.get("config") or {}}])
    elif kind in CONDITIONS:
        if isinstance(value, str | dict):
            yield Written(path, kind, value)
    else:
        for inner, text in texts(value, path):
            if kind is Kind.EXPRESSION or "{{" in text:
                yield Written(inner, kind, text)


def _at(value: type_json, place: Place, path: str) -> Iterator[tuple[str, type_json]]:
    if not place:
        yield path, value
    elif place[0] == "*":
        for number, inner in enumerate(value if isinstance(value, list) else ()):
            yield from _at(inner, place[1:], f"{path}/{number}")
    elif isinstance(value, dict) and place[0] in value:
        yield from _at(value[place[0]], place[1:], f"{path}/{place[0]}")


@cache
def _marked(model: type[BaseModel]) -> tuple[tuple[Place, Kind], ...]:
    """Return where a model has fields of a kind; inner steps are models of their own."""
    found: list[tuple[Place, Kind]] = []
    for name, field in model.model_fields.items():
        place = (field.alias or name,)
        kinds = [one for one in field.metadata if isinstance(one, Kind)]
        found += [(place, kind) for kind in kinds]
        found += [((*place, *inner), kind) for inner, kind in _within(field.annotation)]
    return tuple(found)


def _within(annotation: Any) -> Iterator[tuple[Place, Kind]]:
    if isinstance(annotation, Kind):
        yield (), annotation
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, StepFields):
            yield from _marked(annotation)
    else:
        repeated = ("*",) if getattr(annotation, "__origin__", None) is list else ()
        for inner in get_args(annotation):  # of an annotated type its marks too
            for place, kind in _within(inner):
                yield (*repeated, *place), kind


@lru_cache(4096)
def _compile_text(kind: Kind, text: str) -> Compilation:
    return _compile(kind, text)


@lru_cache(4096)
def _compile_json(kind: Kind, text: str) -> Compilation:
    return _compile(kind, strictjson.loads(text))


def _compile(kind: Kind, value: type_json) -> Compilation:
    try:
        if kind is Kind.OPERATION:
            pipeline = compile_operations(value)
            return Compilation(pipeline.reads, pipeline=pipeline)
        expression = _COMPILERS[kind](value)
        return Compilation(expression.reads, expression)
    except (ExpressionError, InvalidError) as error:
        found = _faults(kind, value, error)
    return Compilation(frozenset(found.reads), issues=tuple(found.issues))


def _faults(kind: Kind, value: type_json, error: ExpressionError | InvalidError) -> Faults:
    if kind in CONDITIONS:
        return faults.of_condition(value, error)
    if isinstance(error, InvalidError):
        return faults.of_operations(value, error)
    return faults.of_text(value, error)


_COMPILERS: Mapping[Kind, Callable[[type_json], Compiled]] = {
    Kind.TEMPLATE: compile_template,
    Kind.EXPRESSION: compile_field,
    Kind.CONDITION: compile_condition,
    Kind.ITEM_CONDITION: compile_condition,
    Kind.EVENT_CONDITION: compile_condition,
}
