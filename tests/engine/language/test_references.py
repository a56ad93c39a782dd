"""Templates and expression fields: text with references in it, and what becomes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import strictjson
from pilot.engine.language.references import compile_field, compile_template
from pilot.errors import ErrorClass, ExpressionError
from tests.engine.expressions.evaluating import scope

INPUTS = {
    "n": 12.5,
    "t": "a<b & 'c'",
    "none": None,
    "yes": True,
    "list": [1, "<i>"],
    "o": {"k": "ü", "n": None},
    "code": "{{inputs.n}} {{secret:key}}",
    "url": "https://a.example/x?y=1",
}
STEPS = {
    "list": {"status": "completed", "output": {"text": "<table></table>", "rows": 1}},
    "plain": {"status": "completed", "output": {"text": "<script>"}},
}


def filled(template, **options):
    return compile_template(template, **options).evaluate(scope(inputs=INPUTS, steps=STEPS))


def field(value):
    return compile_field(value).evaluate(scope(inputs=INPUTS, steps=STEPS))


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{inputs.n}}", 12.5),
        ("{{ inputs.none }}", None),
        ("{{inputs.o}}", {"k": "ü", "n": None}),
        ("{{inputs.yes}}", True),
        ("{{ 'a }} b' }}", "a }} b"),
        ('{{ "a {{ b" }}', "a {{ b"),
        ("n: {{inputs.n}}", "n: 12.5"),
        (" {{inputs.n}}", " 12.5"),
        ("{{inputs.n}}{{inputs.yes}}", "12.5true"),
        ("[{{inputs.none}}]", "[]"),
        ("{{inputs.o}}!", '{"k":"ü","n":null}!'),
        ("{{inputs.list}} ", '[1,"<i>"] '),
        ("a\n{{inputs.n * 2}}\nb", "a\n25\nb"),
        ("{{len(inputs.list)}} of {{len(inputs.o)}}", "2 of 2"),
        ("no braces", "no braces"),
        ("", ""),
        ("one { brace } and }}", "one { brace } and }}"),
        (r"\{{literal}}", "{{literal}}"),
        (r"a \{{b}} {{inputs.n}}", "a {{b}} 12.5"),
        (r"\\{{x}}", r"\{{x}}"),
        ("{{secret:api.key-1}}", "{{secret:api.key-1}}"),
        ("Bearer {{secret:k}} {{inputs.n}}", "Bearer {{secret:k}} 12.5"),
        (5, 5),
        (None, None),
        (["{{inputs.n}}", {"a": "x{{inputs.n}}"}, True], [12.5, {"a": "x12.5"}, True]),
        ({"{{inputs.n}}": 1}, {"{{inputs.n}}": 1}),
    ],
)
def test_a_template_keeps_the_type_of_a_whole_value_and_writes_the_rest(template, wanted):
    found = filled(template)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1.26e-05, "0.0000126"),
        (-1.5e-07, "-0.00000015"),
        (2.5e22, "25000000000000000000000"),
        (12.5, "12.5"),
        (7, "7"),
    ],
)
def test_numbers_in_a_text_have_no_exponent(number, written):
    found = compile_template(["= {{inputs.x}}", "{{inputs.x}}"])
    assert found.evaluate(scope(inputs={"x": number})) == [f"= {written}", number]


def test_what_was_put_in_is_never_read_again():
    assert filled("{{inputs.code}}") == INPUTS["code"]
    assert filled("- {{inputs.code}}") == "- {{inputs.n}} {{secret:key}}"


@pytest.mark.parametrize(
    ("template", "message", "column"),
    [
        ("ab {{ inputs.n", "has no }}", 4),
        ("{{", "has no }}", 1),
        ("{{ 'a }}", "no closing quote", 4),
        ("{{}}", "empty", 3),
        ("ab {{  inputs.n + }}", "too early", 18),
        ("{{inputs.n}} {{ wrong + }}", "too early", 24),
        ("{{secret:}}", "not expected|no 'secret'|does not belong", None),
        ("{{ {{inputs.n}} }}", "does not belong", 4),
        ("{{ " + "1" * 600 + " }}", "500 is the limit", None),
        ("{{ " + "1 " * 2000 + " }}", "has no }}", 1),
    ],
)
def test_a_wrong_expression_is_refused_with_its_column_in_the_template(template, message, column):
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_template(template)
    assert column is None or caught.value.column == column


def test_a_missing_value_is_an_error_not_an_empty_text():
    with pytest.raises(ExpressionError, match="no 'name'") as caught:
        filled("Dear {{inputs.name}}")
    assert caught.value.error_class is ErrorClass.REFERENCE
    assert filled("Dear {{default(inputs.name, 'you')}}") == "Dear you"


@pytest.mark.capability(278)
def test_a_text_has_at_most_a_million_characters():
    template = compile_template("{{inputs.t}}" * 11)
    with pytest.raises(ExpressionError, match="1,000,000") as caught:
        template.evaluate(scope(inputs={"t": "x" * 100_000}))
    assert caught.value.error_class is ErrorClass.LIMIT


def test_a_template_tells_everything_that_it_reads():
    template = {"a": ["{{inputs.n}}", "x {{steps.list.output.text}} {{inputs.o['k']}}"], "b": 1}
    assert compile_template(template).reads == {
        ("inputs", "n"),
        ("steps", "list", "output", "text"),
        ("inputs", "o", "k"),
    }


HTML = {"formats": {("html",): "html"}, "html_steps": frozenset({"list"})}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("<p>{{inputs.t}}</p>", "<p>a&lt;b &amp; &#x27;c&#x27;</p>"),
        ("{{inputs.t}}", "a&lt;b &amp; &#x27;c&#x27;"),
        ("<p>{{inputs.list}}</p>", "<p>[1,&quot;&lt;i&gt;&quot;]</p>"),
        ("<p>{{inputs.n}}</p>", "<p>12.5</p>"),
        ("{{steps.list.output.text}}", "<table></table>"),
        ("<b>{{steps.list.output.text}}</b>", "<b><table></table></b>"),
        ("{{steps.plain.output.text}}", "&lt;script&gt;"),
        ("{{steps.list.output.text + inputs.t}}", None),
        ("{{'<b>'}}", "&lt;b&gt;"),
    ],
)
def test_values_in_an_html_parameter_are_escaped_but_for_rendered_html(template, wanted):
    found = filled({"html": template, "text": "{{inputs.t}}"}, **HTML)
    assert found["text"] == INPUTS["t"]
    if wanted is None:
        assert "&lt;b" in found["html"]
        assert "<" not in found["html"]
    else:
        assert found["html"] == wanted


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{inputs.url}}", INPUTS["url"]),
        (
            "https://b.example/{{inputs.url}}",
            "https://b.example/" + "https%3A%2F%2Fa.example%2Fx%3Fy%3D1",
        ),
        ("{{inputs.url}}&q={{inputs.t}}", INPUTS["url"] + "&q=a%3Cb%20%26%20%27c%27"),
        ("https://b.example/{{inputs.o.k}}", "https://b.example/%C3%BC"),
        ("https://b.example/{{inputs.n}}", "https://b.example/12.5"),
    ],
)
def test_values_within_an_address_are_percent_encoded(template, wanted):
    assert filled({"url": template}, formats={("url",): "uri"}) == {"url": wanted}


def test_a_format_holds_for_each_element_of_a_list():
    found = filled({"links": ["x{{inputs.t}}"]}, formats={("links",): "html"})
    assert found == {"links": ["xa&lt;b &amp; &#x27;c&#x27;"]}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("inputs.n + 1", 13.5),
        ("{{ inputs.n + 1 }}", 13.5),
        ("  {{inputs.n}}\n", 12.5),
        ("n = {{inputs.n}}", "n = 12.5"),
        ("'new'", "new"),
        ("'{{'", None),
        (["inputs.n", "'x'", 3], [12.5, "x", 3]),
        ({"a": "inputs.o.k", "b": None}, {"a": "ü", "b": None}),
        (True, True),
    ],
)
def test_an_expression_field_is_one_expression_or_json_of_them(value, wanted):
    if wanted is None:
        with pytest.raises(ExpressionError, match="has no }}"):
            compile_field(value)
    else:
        assert field(value) == wanted


def test_a_text_in_an_expression_field_is_a_root_that_is_not_there():
    with pytest.raises(ExpressionError, match="There is no new here"):
        field("new")


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(PLAIN)
def test_any_text_is_written_as_it_is(text):
    literal = text.replace("{{", "\\{{")
    if not text.endswith("\\") and "\\{{" not in text and "{{{" not in text:
        assert compile_template(literal).evaluate(scope()) == text
    assert filled_with(text) == f"<{text}>"


def filled_with(text):
    return compile_template("<{{inputs.t}}>").evaluate(scope(inputs={"t": text}))


@given(st.recursive(PLAIN | st.integers() | st.none(), lambda one: st.lists(one, max_size=3)))
def test_a_whole_value_comes_out_unchanged(value):
    assert compile_template("{{inputs.v}}").evaluate(scope(inputs={"v": value})) == value
    text = compile_template("{{inputs.v}} ").evaluate(scope(inputs={"v": value}))
    if isinstance(value, list):
        assert text == strictjson.dumps(value) + " "
