"""Rows of an AI step that are asked about together: numbered, each answered once.

A row's number is its place in the items, from 0. Whatever a model makes of the numbers, an answer
is taken only for the row that it names: rows left out, doubled or misfitting count as lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from pilot.engine.acting import ai, blobs
from pilot.engine.acting.history import Attempt
from pilot.engine.acting.outcomes import Done, StepContext
from pilot.engine.acting.repeating import Failure
from pilot.engine.language import json_schemas
from pilot.engine.language.step_fields import Kind, Part
from pilot.errors import BadJsonError
from pilot.llm import calls, reading, tokens
from pilot.llm.messages import Message, Reply, Request

MAX_ROWS, AUTO_ROWS = 200, 50  # of one call
ROW_TOKENS, TEXT_TOKENS = 30, 250  # of an answer: what frames it, and a text without schema
LEAST_OUTPUT_TOKENS = 500
MAX_ECHO_TOKENS = 200  # of a row that its answer may repeat
LEFT_OUT, EMPTY = "the model left it out", "the model gave an empty text"
MAX_NAMED = 10
TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
ERROR = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "class": {"type": "string"},
        "message": {"type": "string"},
    },
    "required": ["index", "class", "message"],
    "additionalProperties": False,
}
EACH = """\
Do the task for each of the rows below by itself: no answer depends on another row. Give as many
answers as there are rows, each row's once, under its number."""
AGAIN = "They are asked once more, as their answers could not be used: {wrong}."


def _size(value: Any) -> Any:
    number = isinstance(value, int) and not isinstance(value, bool)
    if value != "auto" and not (number and 1 <= value <= MAX_ROWS):
        expected = f"auto, or a number of rows from 1 to {MAX_ROWS}"
        raise PydanticCustomError("batch_size", "{expected}", {"expected": expected})
    return value


def _rows(value: Any) -> Any:
    if not isinstance(value, str | list):
        expected = "an expression that gives a list, or a list"
        raise PydanticCustomError("batch_items", "{expected}", {"expected": expected})
    return value


class Batch(Part):
    """Rows that are asked about together, and what it means if one gets no answer."""

    items: Annotated[
        Any,
        AfterValidator(_rows),
        WithJsonSchema({"type": ["string", "array"]}),
        Kind.EXPRESSION,
    ] = Field(description="The rows: an expression that gives a list, or a list.")
    size: Annotated[Any, AfterValidator(_size), WithJsonSchema({"type": ["integer", "string"]})] = (
        Field(
            "auto",
            description=f"Rows of one call at most, to {MAX_ROWS}. auto: {AUTO_ROWS}. Fewer where "
            "more would not fit the model or what is left of the budget.",
        )
    )
    failure: Failure = Field(
        "stop", description="stop, collect, or {tolerate: n or 5%}: what a failed row means."
    )

    @property
    def most(self) -> int:
        """How many rows one call has at most."""
        return AUTO_ROWS if self.size == "auto" else int(self.size)


def output_schema(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a step's output, of whose rows the answers have this schema."""
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": answer},
            "errors": {"type": "array", "items": ERROR},
        },
        "required": ["items", "errors"],
        "additionalProperties": False,
    }


def numbered(items: Sequence[Any], numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Return these rows as they are sent: of what is too large a digest."""
    return [{"row": number, "data": blobs.shown(items[number])} for number in numbers]


def size_of(row: dict[str, Any]) -> int:
    """Return about how many tokens a row has as it is sent."""
    return tokens.estimate(ai.data(row))


def answer_tokens(step: Any, size: int) -> int:
    """Return how many tokens the answer to a row of that size hardly exceeds."""
    schema = step.output_schema
    usual = TEXT_TOKENS if schema is None else 2 * tokens.estimate(ai.data(schema))
    return ROW_TOKENS + usual + min(size, MAX_ECHO_TOKENS)


def max_output(step: Any, made: int) -> int:
    """Return how many tokens a call asks for whose answers are hardly longer than that."""
    found: int = step.max_output_tokens or max(made, LEAST_OUTPUT_TOKENS)
    return found


def named(numbers: Sequence[int]) -> str:
    """Return rows in words: row 3, rows 3, 7 and 12 more."""
    shown = ", ".join(str(one) for one in numbers[:MAX_NAMED])
    more = len(numbers) - MAX_NAMED
    return f"row{'s' * (len(numbers) > 1)} {shown}" + (f" and {more:,} more" if more > 0 else "")


@dataclass
class Ask:
    """One question about some rows; of a row alone, no answer that can be used is a failure."""

    given: dict[str, Any]  # prompt, input and today, as for all rows
    rows: list[dict[str, Any]]
    wrong: Mapping[int, str]  # what was wrong with the answers before, if these are asked again
    alone: bool = False
    TIMEOUT_S: float = 120.0

    def resolve(self, _step: Any, _context: StepContext) -> dict[str, Any]:
        """Return what the question consists of."""
        again = {"wrong": {str(row): why for row, why in self.wrong.items()}} if self.wrong else {}
        return self.given | {"rows": self.rows} | again

    def effect(self, _step: Any, _context: StepContext, _given: dict[str, Any]) -> str:
        """A model call changes nothing outside."""
        return "pure"

    def gives(self, step: Any, _context: StepContext) -> dict[str, Any]:
        """Return the schema of a result in which every row has its answer."""
        names = [str(one["row"]) for one in self.rows]
        answers: dict[str, Any] = {
            "type": "object",
            "properties": dict.fromkeys(names, _schema(step)),
        }
        answers |= {"required": names, "additionalProperties": False}
        kept = {"rows": answers, "lost": {"const": {}}}
        return {"type": "object", "properties": kept, "required": list(kept)}

    def covers(self, output: Any) -> bool:
        """Whether a recorded result is about these rows."""
        return {*output["rows"], *output["lost"]} == {str(one["row"]) for one in self.rows}

    def perform(
        self,
        step: Any,
        context: StepContext,
        attempt: Attempt,
        timeout_s: float,
        again: bool,  # noqa: ARG002, FBT001
    ) -> Done:
        """Ask about the rows; returns `{rows: {number: answer}, lost: {number: why}}`.

        Raises:
            StepError: no model is set up, or none gave an answer that can be read.
        """
        rows = attempt.input["rows"]
        response = ai.ask(
            question(step, context, attempt, timeout_s),
            context,
            reader(step, [one["row"] for one in rows], whole=self.alone),
        )
        lost = response.value["lost"]
        remarks = [f"{named([int(row)]).capitalize()}: {why}." for row, why in lost.items()]
        unknown = response.value["unknown"]
        remarks += [f"It answered {named(unknown)}, which were not asked."] if unknown else []
        output = {"rows": response.value["rows"], "lost": lost}
        return Done(output, ai.notes(response) + remarks)


def question(step: Any, context: StepContext, attempt: Attempt, timeout_s: float) -> Request:
    """Return the question about the rows of an attempt's input."""
    answer = {"row": {"type": "integer"}, "answer": _schema(step)}
    schema = _closed({"rows": {"type": "array", "items": _closed(answer)}})
    asked = attempt.input
    rows, wrong = asked["rows"], asked.get("wrong", {})
    about = EACH
    if wrong:
        told = "; ".join(f"row {row}: {why}" for row, why in wrong.items())
        about = f"{EACH} {AGAIN.format(wrong=told)}"
    data = f'<data source="rows">\n{ai.data(rows)}\n</data>'
    text = f"{ai.task(step, asked)}\n\n{about}\n{data}"
    made = sum(answer_tokens(step, size_of(one)) for one in rows)
    plain = ai.request(step, context, attempt, schema, timeout_s)
    return replace(plain, messages=(Message("user", text),), max_output=max_output(step, made))


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _schema(step: Any) -> dict[str, Any]:
    found: dict[str, Any] = step.output_schema or TEXT
    return found


def reader(step: Any, numbers: Sequence[int], *, whole: bool = False) -> calls.Read:
    """Return what takes from a reply the answers to these rows: `{rows, lost, unknown}`.

    A reply without a list of rows is no answer, with `whole` neither one that leaves a row without:
    otherwise a row that is left out, doubled or misfits is lost.
    """

    def read(reply: Reply) -> calls.Reading:
        try:
            value = reading.json_value(reply.text)
        except BadJsonError as error:
            return calls.Reading(None, [error.message])
        rows = value.get("rows") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            return calls.Reading(None, ["/rows: a list of {row, answer} is missing."])
        answers = defaultdict[int, list[Any]](list)
        for one in rows:
            number = one.get("row") if isinstance(one, dict) else None
            if isinstance(number, int) and not isinstance(number, bool) and "answer" in one:
                answers[number].append(one["answer"])
        lost = {one: why for one in numbers if (why := _wrong(step, answers.get(one, [])))}
        found = {
            "rows": {str(one): answers[one][0] for one in numbers if one not in lost},
            "lost": {str(one): why for one, why in lost.items()},
            "unknown": [one for one in answers if one not in numbers],
        }
        return calls.Reading(found, [f"row {row}: {why}" for row, why in lost.items()] * whole)

    return read


def _wrong(step: Any, answers: list[Any]) -> str | None:
    """Return why the answers to a row cannot be used, or None."""
    if not answers:
        return LEFT_OUT
    if len(answers) > 1:
        return f"the model answered it {len(answers)} times"
    errors = json_schemas.check_value(_schema(step), answers[0])
    if errors:
        return json_schemas.in_words(errors)
    empty = step.output_schema is None and not answers[0]["text"].strip()
    return EMPTY if empty else None
