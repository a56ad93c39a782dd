"""The workflow document: read, checked for its shape, canonical text, hash."""

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from pilot import older, strictjson
from pilot.engine import steps
from pilot.engine.language.policies import Policies
from pilot.engine.language.step_fields import (
    YEAR_S,
    Body,
    Branch,
    Part,
    Retry,
    Schema,
    StepFields,
    Template,
)
from pilot.engine.workflow import outline, shape
from pilot.errors import BadJsonError, InvalidError, Issue, type_json

FORMAT = 1
MAX_BYTES = 256 * 1024
MAX_STEPS_CEILING = 500
KEPT = 500  # of stored documents, as far as they are read


@cache
def _zones() -> frozenset[str]:
    """Return the names of all zones; finding them walks the folders of the database."""
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    if name not in _zones():
        expected = "a zone of the IANA database like Europe/Berlin"
        raise PydanticCustomError("zone", "{expected}", {"expected": expected})
    return name


class Defaults(Part):
    """What steps have that do not say otherwise."""

    retry: Retry | None = None
    timeout_s: Annotated[StrictFloat, Field(gt=0, le=YEAR_S)] | None = None
    on_error: Literal["fail", "continue"] | None = None
    zone: Annotated[StrictStr, AfterValidator(_zone)] | None = None


class Workflow(Part):
    """A document whose shape is right; `validation.validate` checks what it means."""

    format: StrictInt = Field(FORMAT, ge=1, le=FORMAT)
    name: Annotated[StrictStr, Field(max_length=120)] = ""
    description: Annotated[StrictStr, Field(max_length=4_000)] = ""
    goal: Annotated[StrictStr, Field(max_length=8_000)] = ""
    inputs: Schema | None = None
    output: Template = None
    output_schema: Schema | None = None
    defaults: Defaults = Defaults()
    policies: Policies = Policies()
    steps: Body = Field(min_length=1)
    metadata: dict[str, Any] = Field({})


def decode(text: str | bytes) -> type_json:
    """Return the JSON value of a JSON or YAML text.

    YAML is taken without aliases, tags and doubled keys, with the types of JSON only. A mark of the
    byte order in front, as editors write it, is no part of either.

    Raises:
        InvalidError: one issue, E_JSON.
    """
    size_bytes = len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    if size_bytes > MAX_BYTES:
        raise InvalidError([_size_issue(size_bytes)])
    text = text.removeprefix(BOM_UTF8) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    try:
        return strictjson.loads(text, max_bytes=MAX_BYTES)
    except BadJsonError as error:
        if _looks_like_json(text):
            raise _bad_json(f"This is not one JSON document: {error.message}") from error
    from pilot.engine.language import yaml_text  # noqa: PLC0415

    try:
        value = yaml_text.loads(text)
    except BadJsonError as error:
        reason = error.message.removesuffix(".")
        raise _bad_json(f"This is neither JSON nor YAML: {reason}.") from error
    is_ours = isinstance(value, dict) and "steps" in value
    if not is_ours and not older.is_older(value):  # any prose is YAML
        raise _bad_json("This is text, not a workflow: give one JSON object with steps.")
    return value


def too_large(value: type_json) -> Issue | None:
    """Return what is wrong with the size of a JSON value, whatever it says."""
    try:
        size_bytes = len(strictjson.dumps(value).encode(errors="surrogatepass"))
    except (ValueError, RecursionError):  # no value that the decoder gives
        return Issue("E_JSON", "", "This is no JSON: a number without end, or nested too deep.")
    return _size_issue(size_bytes) if size_bytes > MAX_BYTES else None


def parse(source: type_json) -> Workflow:
    """Return the workflow of a document, given as JSON value or as JSON or YAML text.

    Raises:
        InvalidError: every issue of the shape, with codes of the validator.
    """
    value = decode(source) if isinstance(source, str | bytes) else source
    workflow, issues = read(value)
    if workflow is None or issues:
        raise InvalidError(issues)
    return workflow


@dataclass(frozen=True)
class Written:
    """The document of a stored version, which never changes."""

    version_id: UUID
    document: Any = field(compare=False)


@lru_cache(KEPT)
def stored(written: Written) -> Workflow:
    """Return the workflow of a stored version, read once: it never changes.

    Raises:
        InvalidError: what `parse` raises.
    """
    return parse(written.document)


def read(value: type_json) -> tuple[Workflow | None, list[Issue]]:
    """Return the workflow of a JSON value, None if it cannot be read, and the issues."""
    if not isinstance(value, dict):
        message = "A workflow is one JSON object."
        found = shape.kind_of(value)
        return None, [Issue("E_SCHEMA", "", message, expected="an object", got=found)]
    newer = _newer_format(value.get("format"))
    if newer:
        return None, [newer]
    issues: list[Issue] = list(shape.check_metadata(value.get("metadata"), ""))
    values = value
    if isinstance(value.get("steps"), list):
        values = {**value, "steps": shape.read_steps(value["steps"], "/steps", issues)}
    workflow = shape.read_part(Workflow, values, "", issues)
    return (workflow if isinstance(workflow, Workflow) else None), issues


def text(document: type_json) -> str:
    """Return a document as the indented JSON that people read and edit."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def canonical(document: type_json) -> str:
    """Return the text that is stored and hashed: sorted keys, no spaces, shortest numbers."""
    return strictjson.canonical(document)


def content_hash(document: type_json) -> str:
    """Return the SHA-256 of the canonical text, as hexadecimal digits."""
    return sha256(canonical(document).encode()).hexdigest()


def bodies(step: StepFields) -> list[tuple[str, list[StepFields]]]:
    """Return segment and steps of each list within a step: then, case0 .., on_error, on_timeout."""
    found: list[tuple[str, list[StepFields]]] = []
    for segment, pattern in getattr(steps.load(step.type), "BODIES", {}).items():
        found += [(segment.format(*names), body) for names, body in _followed(step, pattern)]
    for segment in outline.AFTER:
        answer = getattr(step, segment, None)
        if isinstance(answer, Branch):
            found.append((segment, answer.branch))
    return found


def walk(body: Sequence[StepFields]) -> Iterator[StepFields]:
    """Yield all steps, outer before inner, in the order of the document."""
    for step in body:
        yield step
        for _, inner in bodies(step):
            yield from walk(inner)


def inner(step: StepFields) -> Workflow | None:
    """Return the workflow that stands whole within a step; None: there is none."""
    make = getattr(steps.load(step.type), "document", None)
    if make is None or getattr(step, "steps", None) is None:
        return None
    workflow, issues = read(make(step.model_dump(by_alias=True)))
    return None if issues else workflow


def _followed(value: Any, pattern: str) -> Iterator[tuple[list[str], list[StepFields]]]:
    """Follow the pattern of a body; {} is each index of a list or key of a mapping."""
    first, _, rest = pattern.removeprefix("/").partition("/")
    if not first:
        yield [], value
    elif first == "{}":
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, one in inner:
            yield from (([str(name), *names], body) for names, body in _followed(one, rest))
    else:
        yield from _followed(getattr(value, _attributes(value.__class__)[first]), rest)


@cache
def _attributes(model: type[Part]) -> dict[str, str]:
    return {field.alias or name: name for name, field in model.model_fields.items()}


def _size_issue(size_bytes: int) -> Issue:
    message = f"The document has {size_bytes:,} bytes; {MAX_BYTES:,} is the limit."
    return Issue("E_LIMIT", "", message, expected=str(MAX_BYTES), got=str(size_bytes))


def _looks_like_json(text: str | bytes) -> bool:
    return text.lstrip()[:1] in {"{", "[", b"{", b"["}


def _bad_json(message: str) -> InvalidError:
    return InvalidError([Issue("E_JSON", "", message, expected="one JSON object")])


def _newer_format(found: type_json) -> Issue | None:
    if not isinstance(found, int) or isinstance(found, bool) or found <= FORMAT:
        return None
    message = f"The document has format {found}; this version of Pilot reads {FORMAT}: update it."
    return Issue("E_FORMAT", "/format", message, expected=str(FORMAT), got=str(found))
