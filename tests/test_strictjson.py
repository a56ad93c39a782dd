"""The one decoder: what it refuses, and that it keeps everything else."""

import contextlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import strictjson
from pilot.errors import BadJsonError
from tests import bombs
from tests.written import read

DEEP = 65


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"\xff{}", "UTF-8"),
        ('{"a":1,"a":2}', "twice"),
        ("NaN", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("1e400", "too large"),
        ("9007199254740993", "2^53"),
        ("[" * DEEP + "]" * DEEP, "nested"),
        ('"\\u0000"', "NUL"),
        ('{"\\ud800": 1}', "surrogate"),
        ("{'a': 1}", "not JSON"),
        ("", "not JSON"),
        ("[1,]", "not JSON"),
        ("{} {}", "not JSON"),
        ("[" + "0," * 100_000 + "0]", "members"),
    ],
)
def test_hostile_text_is_refused_and_named(text, word):
    with pytest.raises(BadJsonError, match=word.replace("^", r"\^")):
        strictjson.loads(text)


def test_a_text_over_its_limit_is_refused_before_it_is_read():
    with pytest.raises(BadJsonError, match="at most 10"):
        strictjson.loads(b'"' + b"x" * 20, max_bytes=10)


def test_brackets_inside_texts_are_not_depth():
    assert strictjson.loads('"' + "[" * 200 + '"') == "[" * 200


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_back(value):
    assert strictjson.loads(strictjson.dumps(value)) == value


@given(JSON)
def test_equal_values_have_one_canonical_text(value):
    text = strictjson.canonical(value)
    assert strictjson.canonical(json.loads(text)) == text


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_a_named_error(data):
    with contextlib.suppress(BadJsonError):
        strictjson.loads(data)


ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_what_no_database_stores_is_replaced_and_nothing_else(value):
    text, kept = strictjson.written(value)
    assert strictjson.loads(text) == kept == _replaced(value)


def _replaced(value):
    if isinstance(value, list):
        return [_replaced(one) for one in value]
    if isinstance(value, dict):
        return {_replaced(key): _replaced(one) for key, one in value.items()}
    return "".join("\ufffd" if one == "\0" or "\ud800" <= one <= "\udfff" else one for one in value)


@pytest.mark.parametrize("text", ["\\\0", "\\u0000", "\\\\u0000\0\0", "\ud83d", "\\\\\0"])
def test_backslashes_before_what_is_replaced_stay(text):
    assert strictjson.written({text: [text]})[1] == _replaced({text: [text]})


def test_the_order_of_keys_is_kept_when_dumped_and_sorted_when_canonical():
    value = {"b": 1.0, "a": [2.5]}
    assert strictjson.dumps(value) == '{"b":1.0,"a":[2.5]}'
    assert strictjson.canonical(value) == '{"a":[2.5],"b":1}'


BOMBS = {
    case["id"]: "".join(text * times for text, times in case["input"])
    if case["kind"] == "repeat"
    else case["input"]
    for case in read(Path(__file__).parent / "data/attacks.yaml")["cases"]
    if case["category"] == "jsonbomb" and case["kind"] != "scenario"
}
STAGED = {
    "ff fe": b"\xff\xfe",
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "empty": b"",
}
SOON_S = 2  # a hundred times what it takes: what is not linear takes minutes
LARGE = {"1e6 keys": bombs.many_keys, "1e7 zeros": bombs.many_zeros}


@pytest.mark.parametrize("name", sorted([*BOMBS, *STAGED, *LARGE]))
def test_a_bomb_ends_soon_in_a_value_or_a_named_error(name):
    data = LARGE[name]() if name in LARGE else {**BOMBS, **STAGED}[name]
    started = time.thread_time()
    if data in {"null", "true"}:
        assert strictjson.loads(data) in {None, True}
    else:
        with pytest.raises(BadJsonError):
            strictjson.loads(data)
    assert time.thread_time() - started < SOON_S


@pytest.mark.parametrize(
    "text",
    [
        "{" + ",".join(f'"{n}":1' for n in range(60_000)) + ',"59999":2}',
        '"' + '\\"' * 400_000,
        '"' + "a" * 1_000_000,
    ],
    ids=["a key twice at the end", "escapes without an end", "a text without an end"],
)
def test_the_longest_way_to_a_fault_is_short(text):
    started = time.thread_time()
    with pytest.raises(BadJsonError):
        strictjson.loads(text)
    assert time.thread_time() - started < SOON_S


@dataclass
class Row:
    id: UUID
    at: datetime
    cost: Decimal | None


def test_answers_hold_utc_times_exact_money_and_texts():
    at = datetime(2026, 3, 14, 15, 5, tzinfo=timezone(timedelta(hours=1)))
    row = Row(UUID(int=1), at, Decimal("0.000420000000"))
    assert strictjson.plain({"rows": (row,), "day": date(2026, 3, 14), 1: None}) == {
        "rows": [
            {
                "id": "00000000-0000-0000-0000-000000000001",
                "at": "2026-03-14T14:05:00Z",
                "cost": {"amount": "0.000420000000", "currency": "USD"},
            }
        ],
        "day": "2026-03-14",
        "1": None,
    }
    assert strictjson.plain(at.astimezone(UTC)) == "2026-03-14T14:05:00Z"


@pytest.mark.parametrize("text", ["", "five", "1.5", "--5", "007", "true", "[1]", "9" * 5_000])
def test_what_is_no_whole_number_is_none(text):
    assert strictjson.whole(text) is None
    assert (strictjson.whole(" -5 "), strictjson.whole("0")) == (-5, 0)
