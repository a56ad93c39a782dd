"""No text and no data make an expression hang, grow, change its input or become code."""

import resource
import sys
import time
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilot import strictjson
from pilot.engine.expressions import FUNCTIONS, ROOTS, compile_expression
from pilot.engine.language.conditions import compile_condition
from pilot.engine.language.references import compile_field, compile_template
from pilot.errors import ErrorClass, ExpressionError
from tests.engine.expressions.evaluating import scope
from tests.written import read

FILE = Path(__file__).parents[2] / "data/attacks.yaml"
CASES = [one for one in read(FILE)["cases"] if one["category"] in {"expr", "expr-dos"}]
DATA = {"a": {"output": {"rows": [1, "2", None]}, "status": "completed"}, "__proto__": {"x": 1}}
CODE = {"compile", "exec", "import", "open", "os.system", "subprocess.Popen", "marshal.loads"}
SEEN: list[str] | None = None
LIMIT_S = 0.05


def _watch(event, _arguments):
    if SEEN is not None and event in CODE:
        SEEN.append(event)


sys.addaudithook(_watch)


def attack(case):
    given = case["input"]
    if case["kind"] == "repeat":
        return "".join(text * count for text, count in given)
    return given


def outcome(compile_, text, **roots):
    """Return a value, or the error that refused the text or ended its evaluation."""
    try:
        return compile_(text).evaluate(scope(steps=DATA, **roots))
    except ExpressionError as error:
        return error


def at_most(seconds, run):
    """Run several times: the fastest one counts, since other programs may take the processor."""
    taken = []
    for _ in range(5):
        compile_expression.cache_clear()
        began = time.thread_time()
        found = run()
        taken.append(time.thread_time() - began)
        if taken[-1] < seconds:
            return found
    raise AssertionError(f"took {min(taken):.3f} s")


def test_all_attacks_are_here():
    assert len(CASES) == 32


@pytest.mark.capability(277, 278)
@pytest.mark.parametrize("case", CASES, ids=lambda one: one["id"])
def test_an_attack_is_refused_with_its_position_or_reads_nothing(case):
    text = attack(case)
    inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
    for found in (
        at_most(LIMIT_S, lambda: outcome(compile_expression, inner)),
        at_most(LIMIT_S, lambda: outcome(compile_condition, inner)),
        at_most(LIMIT_S, lambda: outcome(compile_field, inner)),
        at_most(LIMIT_S, lambda: outcome(compile_template, f"{{{{ {inner} }}}}")),
        at_most(LIMIT_S, lambda: outcome(compile_template, f"Dear {{{{{inner}}}}},")),
    ):
        assert isinstance(found, ExpressionError)
        assert found.column is not None or found.error_class is ErrorClass.REFERENCE


@pytest.mark.capability(278)
@pytest.mark.parametrize("case", CASES, ids=lambda one: one["id"])
def test_outside_braces_an_attack_stays_the_same_text(case):
    text = attack(case)
    if "{{" not in text:
        assert outcome(compile_template, text) == text
        assert outcome(compile_template, f"x {text} y") == f"x {text} y"
    assert outcome(compile_template, "{{inputs.t}}", inputs={"t": text}) == text
    assert outcome(compile_template, "- {{inputs.t}} -", inputs={"t": text}) == f"- {text} -"


@pytest.mark.capability(278)
def test_no_attack_reaches_the_interpreter_or_takes_memory():
    global SEEN  # noqa: PLW0603  an audit hook cannot be removed, only told when to listen
    texts = [attack(case) for case in CASES]
    for text in texts:  # once before, so that what is imported late is there
        outcome(compile_template, text)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    SEEN = []
    try:
        for text in texts:
            compile_expression.cache_clear()
            for compile_ in (compile_expression, compile_condition, compile_field):
                outcome(compile_, text)
            outcome(compile_template, f"{{{{ {text} }}}}")
        events = SEEN
    finally:
        SEEN = None
    assert events == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 10 * 1024


NAMES = st.sampled_from(
    [
        "inputs.n",
        "inputs.t",
        "inputs.l",
        "inputs.o",
        "inputs.o.k",
        "inputs.l[0]",
        "inputs.l[-1]",
        "inputs.missing",
        "inputs.o['a_b']",
        "steps.a.output.rows",
        "steps.b.output",
        "item.x",
    ]
)
LITERALS = st.sampled_from(
    [
        "1",
        "0",
        "2.5",
        "9007199254740992",
        "'a'",
        "''",
        "'4'",
        "'2026-03-10'",
        "true",
        "null",
        "[]",
        "[1,'1']",
        "'days'",
        "'YYYY-MM-DD'",
        "12",
    ]
)


def _combined(inner):
    two = st.tuples(inner, inner)
    operator = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in", "not in"])
    joined = st.tuples(two, operator | st.sampled_from(["and", "or", "||", "&&"]))
    call = st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, max_size=3))
    return (
        joined.map(lambda one: f"({one[0][0]} {one[1]} {one[0][1]})")
        | call.map(lambda one: f"{one[0]}({', '.join(one[1])})")
        | st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | inner.map(lambda one: f"not {one}")
        | inner.map(lambda one: f"-{one}")
    )


EXPRESSIONS = st.recursive(NAMES | LITERALS, _combined, max_leaves=8)
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from([*"()[].,+-*/%<>=!&|'\"{}\\ \n", "==", "and ", "not ", "in ", "1", "inputs"])
    | st.sampled_from(["steps.a", "len(", "default(", "matches(", "'a'", "u0041", "\u0085"]),
    max_size=30,
).map("".join)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["4", "2026-03-10", "2026-03-10T10:00:00Z", "0001-01-01", "9" * 30])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.floats(-1e300, 1e300) | st.integers(-5, 5),
        "t": SCALARS,
        "l": st.lists(JSON, max_size=4),
        "o": st.fixed_dictionaries({}, optional={"k": JSON, "a_b": JSON}),
    },
)


@pytest.mark.capability(278)
@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("{{" * 250)
@example("{{'" * 160)
@example("'\\" * 250)
def test_any_text_compiles_or_is_an_expression_error(text):
    for compile_ in (compile_expression, compile_field, compile_condition, compile_template):
        outcome(compile_, text)


@pytest.mark.capability(278)
@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, INPUTS)
def test_an_evaluation_gives_json_and_changes_nothing(text, given_inputs):
    before = deepcopy(given_inputs)
    found = outcome(compile_expression, text, inputs=given_inputs)
    again = outcome(compile_expression, text, inputs=given_inputs)
    assert given_inputs == before
    if not isinstance(found, ExpressionError):
        assert strictjson.loads(strictjson.dumps(found)) == found == again
        assert type(found) is type(again)


def _only(paths, value):
    """Return a value without what the paths do not read; lists stay whole."""
    kept = {}
    for path in paths:
        if not path:
            return value
        if isinstance(value, dict) and path[0] in value:
            kept.setdefault(path[0], set()).add(path[1:])
    if not isinstance(value, dict):
        return value
    return {name: _only(rest, value[name]) for name, rest in kept.items()}


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, INPUTS)
@example("default(inputs.missing, inputs.n) + inputs.o.k", {"n": 1, "o": {"k": 2}})
def test_the_paths_it_tells_are_all_that_it_reads(text, given_inputs):
    try:
        compiled = compile_expression(text)
    except ExpressionError:
        return
    roots = {"inputs": given_inputs, "steps": DATA}
    pruned = _only(compiled.reads, roots)

    def result(known):
        try:
            return compiled.evaluate(scope(**known))
        except ExpressionError as error:
            return error.error_class

    assert result({"inputs": {}, "steps": {}} | pruned) == result(roots)
    assert all(path[0] in ROOTS for path in compiled.reads)


@pytest.mark.capability(278)
@pytest.mark.parametrize(
    "text",
    [
        "{{" + "'" * 100_000,
        "{{ '" * 30_000,
        "\\{{" * 100_000,
        "{{ " + "'a' " * 25_000 + "}}",
        "{{secret:" * 50_000,
        '{{ "\\' * 30_000 + "}}",
    ],
)
def test_a_long_template_takes_no_longer_than_its_text(text):
    at_most(0.5, lambda: outcome(compile_template, text))
