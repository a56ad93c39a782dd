"""YAML as it is written is read as the same value."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilot import strictjson
from pilot.engine.language import yaml_text
from pilot.errors import BadJsonError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example(
    ["1e3", "", "~", "yes", "null", "2026-01-01", "a\x85b", " x\n y ", "12:30", "=", "- a", "#"]
)
@example({"1": "on", "true": ["\t", "\r\n", "{{a}}", "&a", "*a", "!t", "'", '"', "a: b"]})
@example({"a" * 2_000: "b", "\n": "\n\n", "x": [[], {}, [[]]]})
def test_what_is_written_is_read_back(value):
    assert yaml_text.loads(yaml_text.dumps(value)) == strictjson.loads(strictjson.dumps(value))


def test_it_reads_well():
    value = {"format": 1, "steps": [{"id": "one", "text": "a\nb", "long": "word " * 60}]}
    written = yaml_text.dumps(value)
    assert written.startswith("format: 1\nsteps:\n- id: one\n  text: |-\n    a\n    b\n")
    assert len(written.splitlines()) == 7


@pytest.mark.parametrize("value", [{"a": [1, {"b": 2}] * 2}])
def test_equal_parts_are_written_out(value):
    assert "&" not in yaml_text.dumps(value)


def test_what_has_too_many_members_is_not_read_to_its_end():
    with pytest.raises(BadJsonError, match="more than 100,000 members"):
        yaml_text.loads("[" + "1," * 150_000 + "]")
    with pytest.raises(BadJsonError, match="more than 100,000 members"):  # not that it ends amiss
        yaml_text.loads("[" + "1," * 250_000 + "}")
    names = ",".join(f"a{n}: 1" for n in range(100_000))
    assert len(yaml_text.loads(f"{{{names}}}", max_bytes=2**21)) == 100_000
