"""The operation parse: texts become numbers, dates, booleans and lists."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictStr

from pilot.engine.expressions import Scope
from pilot.engine.expressions.values import number as json_number
from pilot.engine.transforms.amounts import number_of
from pilot.engine.transforms.dating import check_pattern, read_date
from pilot.engine.transforms.fields import Column, Config
from pilot.engine.transforms.incoming import Row, kind_of
from pilot.engine.transforms.registry import Run, operation, same
from pilot.engine.transforms.styles import number_style
from pilot.errors import ExpressionError, type_json

OnError = Literal["fail", "null", "keep"]
Reader = Callable[[type_json], type_json]

_PLAIN_TYPES = ("number", "integer", "boolean", "date", "list")
_SHOWN = 5
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _check_type(text: str) -> str:
    kind, colon, detail = text.partition(":")
    if kind == "date" and colon:
        check_pattern(detail, whole=True)
    elif text not in _PLAIN_TYPES and not (kind == "list" and detail):
        raise ValueError(
            f"{text!r} is no type. There are: number, integer, boolean, date (ISO), "
            "date:DD/MM/YYYY and the like, list:; with the separator."
        )
    return text


def _check_number_format(example: str) -> str:
    number_style(example)
    return example


Type = Annotated[StrictStr, AfterValidator(_check_type)]
NumberFormat = Annotated[StrictStr, AfterValidator(_check_number_format)]


class Parse(Config):
    """What fields hold, and how it is written."""

    types: dict[Column, Type] = Field(
        min_length=1,
        description="Field and type: number, integer, boolean, date (ISO), date:DD/MM/YYYY, list:;",
    )
    number_format: NumberFormat | None = Field(
        None, description="How numbers are written, such as 1.234,56; plain (1234.56) by default."
    )
    on_error: OnError = Field(
        "fail", description="What becomes of a text that does not fit: fail, null, keep it."
    )


@operation(Parse, need="rows", shape=same)
def parse(rows: list[Row], config: Parse, run: Run) -> list[Row]:
    """Reads texts as numbers, dates, booleans or lists; a blank one is null.

    A date is never guessed: without a format it must be ISO. What is of the type already stays.
    """
    return parse_rows(
        rows,
        config.types,
        run,
        number_format=config.number_format,
        on_error=config.on_error,
    )


def parse_rows(
    rows: list[Row],
    types: Mapping[Column, str] | Mapping[str, str],
    run: Run,
    *,
    number_format: str | None = None,
    on_error: OnError = "fail",
    numbers: Sequence[int] | None = None,
) -> list[Row]:
    """Return rows whose fields are of these types; `numbers` are those that errors name.

    Raises:
        StepError: a text does not fit; it names the first five rows.
    """
    readers = {str(name): _reader(kind, number_format, run.scope) for name, kind in types.items()}
    parsed: list[Row] = []
    unfit: list[str] = []
    for number, row in zip(numbers or range(1, len(rows) + 1), rows, strict=True):
        read: Row = {}
        for name, reader in readers.items():
            try:
                read[name] = None if _is_blank(row[name]) else reader(row[name])
            except ValueError as error:
                read[name] = None if on_error == "null" else row[name]
                unfit.append(f"row {number}: {name} {error}")
        parsed.append({**row, **read})
    if unfit and on_error == "fail":
        more = "; .." if len(unfit) > _SHOWN else "."
        raise run.failure(f"{len(unfit)} cells cannot be read. {'; '.join(unfit[:_SHOWN])}{more}")
    if unfit:
        became = "are null now" if on_error == "null" else "stay as they are"
        run.note(f"{len(unfit)} cells cannot be read and {became}. {'; '.join(unfit[:_SHOWN])}")
    return parsed


def _is_blank(value: type_json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _reader(kind: str, number_format: str | None, scope: Scope) -> Reader:
    name, _, detail = kind.partition(":")
    if name == "date":
        return lambda value: _date(value, detail, scope)
    if name == "list":
        return lambda value: _list(value, detail or ",")
    if name == "boolean":
        return _boolean
    whole = name == "integer"
    return lambda value: _number(value, number_format, whole=whole)


def _number(value: type_json, number_format: str | None, *, whole: bool) -> type_json:
    if number_format and isinstance(value, str):
        found = number_style(number_format).read(value)
    else:
        found = number_of(value)
    if found is None:
        advice = "" if number_format or not isinstance(value, str) else "; give a number_format"
        raise ValueError(f"{_shown(value)} is no number{advice}")
    number = _json(found)
    if whole and not isinstance(number, int):
        raise ValueError(f"{_shown(value)} is no whole number")
    return number


def _json(found: Decimal) -> int | float:
    try:
        return json_number(found)
    except ExpressionError:
        raise ValueError(f"{found:f} is beyond 2^53") from None


def _boolean(value: type_json) -> type_json:
    if isinstance(value, bool):
        return value
    plain = str(value).strip().lower() if isinstance(value, str | int) else ""
    if plain not in _BOOLEANS:
        raise ValueError(f"{_shown(value)} is not one of true, false, yes, no, 1, 0")
    return _BOOLEANS[plain]


def _date(value: type_json, pattern: str, scope: Scope) -> type_json:
    found = read_date(value, pattern, scope) if isinstance(value, str) else None
    if found is None:
        wanted = f"date written {pattern}" if pattern else "ISO date; say how it is written"
        raise ValueError(f"{_shown(value)} is no {wanted}")
    return found


def _list(value: type_json, separator: str) -> type_json:
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no text to split")  # noqa: TRY004 - it is data
    return [part.strip() for part in value.split(separator) if part.strip()]


def _shown(value: type_json) -> str:
    return repr(value[:60]) if isinstance(value, str) else kind_of(value)
