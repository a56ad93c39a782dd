"""What is said before a run: broken configurations, fields and kinds that cannot fit."""

import pytest

from pilot.engine.transforms import OPERATIONS, Shape, compile_operations
from pilot.errors import InvalidError
from tests.engine.transforms.work import issues, pipeline


@pytest.mark.parametrize(
    ("operation", "path", "words", "fix"),
    [
        (("fliter", {}), "/0/operation", "no operation 'fliter'", "filter"),
        (("sort", {"by": []}), "/0/config/by", "at least 1", None),
        (("sort", {"by": [{"field": 4}]}), "/0/config/by/0/field", "it is a number", None),
        (("sort", {"by": [{"field": "a", "nulls": "frist"}]}), "/0/config/by/0/nulls", "", "first"),
        (("limit", {}), "/0/config/count", "count is missing: add it.", None),
        (("select", {"fields": "name"}), "/0/config/fields", "list", ["name"]),
        (("split", {"size": 0}), "/0/config/size", "greater", None),
        (
            ("aggregate", {"measures": {"t": {"op": "sum"}}}),
            "/0/config/measures/t",
            "a field",
            None,
        ),
        (("group", {"by": ["a", "b"], "as": "object"}), "/0/config", "one field", None),
        (("parse", {"types": {"x": "datum"}}), "/0/config/types/x", "no type", None),
        (("parse", {"types": {"x": "date:DD.MM"}}), "/0/config/types/x", "not name year", None),
        (("parse", {"types": {"x": "date:DD.DD"}}), "/0/config/types/x", "no date format", None),
        (("render_text", {"template": 4}), "/0/config/template", "it is a number", None),
        (
            ("aggregate", {"measures": {"t": {"op": "count", "x": 1}}}),
            "/0/config/measures/t/x",
            "It takes: op, field, where",
            None,
        ),
        (
            ("aggregate", {"by": "t", "measures": {"t": {"op": "count"}}}),
            "/0/config",
            "in by",
            None,
        ),
        (("parse", {"types": {"x": "date:TT.MM"}}), "/0/config/types/x", "signs only", None),
        (
            ("join", {"right": "1", "left_key": "a", "kind": "semi", "as": "b"}),
            "/0/config",
            "",
            None,
        ),
        (("flatten", {"keep": ["id"]}), "/0/config", "needs a field", None),
        (("unpivot", {"fields": ["a"], "name": "x", "value": "x"}), "/0/config", "differ", None),
        (("pivot", {"rows": "a", "column": "b"}), "/0/config", "needs a value", None),
        (
            ("render_table", {"columns": [{"field": "a", "format": "??"}]}),
            "/0/config/columns/0",
            "",
            None,
        ),
    ],
)
def test_a_broken_configuration_is_named_with_its_place(operation, path, words, fix):
    found = issues(operation)[0]
    assert found.path.startswith(path)
    assert words in found.message
    if fix is not None:
        assert found.fix == [{"op": "replace", "path": path, "value": fix}]


def test_a_misspelt_key_is_moved():
    found = issues(("sort", {"by": [{"feild": "x"}]}))
    moved = next(issue for issue in found if issue.fix)
    assert moved.fix == [
        {"op": "move", "from": "/0/config/by/0/feild", "path": "/0/config/by/0/field"}
    ]


@pytest.mark.parametrize(
    ("operation", "code", "path"),
    [
        (("filter", {"condition": "item.a ="}), "E_EXPRESSION", "/0/config/condition"),
        (("map", {"fields": {"A b": "item."}}), "E_EXPRESSION", "/0/config/fields/A b"),
        (("join", {"right": "(", "left_key": "a"}), "E_EXPRESSION", "/0/config/right"),
        (("render_table", {"empty": "{{ ( }}"}), "E_EXPRESSION", "/0/config/empty"),
        (("split", {"size": 10**9}), "E_LIMIT", "/0/config/size"),
    ],
)
def test_the_code_says_what_kind_of_mistake_it_is(operation, code, path):
    found = issues(operation)
    assert [issue.code for issue in found] == [code]
    assert found[0].path.startswith(path)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"fields": "item.a"}, "/0/config/fields"),
        ({"fields": {"to": ["item.b +", 1]}}, "/0/config/fields/to"),
    ],
)
def test_a_broken_expression_inside_json_is_found(config, path):
    assert [issue.path for issue in issues(("map", config))] == [path]


def test_fields_inside_json_are_checked():
    fields = {"to": {"name": "item.Statu", "n": [1, "item.days_left"]}}
    found = pipeline(("map", {"fields": fields})).check(COLUMNS)
    assert [(issue.got, issue.expected) for issue in found] == [("Statu", "Status")]
    assert found[0].fix[0]["value"] == {"name": "item.Status", "n": [1, "item.days_left"]}


def test_an_unknown_operator_is_replaced_by_the_nearest():
    found = issues(("filter", {"condition": {"not": {"field": "a", "operator": "is_not_null"}}}))
    path = "/0/config/condition/not/operator"
    assert [(issue.code, issue.path) for issue in found] == [("E_OPERATOR", path)]
    assert found[0].fix == [{"op": "replace", "path": path, "value": "exists"}]


def test_all_mistakes_are_named_at_once():
    found = issues(("limit", {}), ("nothing", {}), ("sort", {"by": [], "limit": 4}))
    assert [issue.path for issue in found] == [
        "/0/config/count",
        "/1/operation",
        "/2/config/by",
        "/2/config/limit",
    ]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ([], ""),
        (["filter"], "/0"),
        ([{"config": {}}], "/0/operation"),
        ([{"operation": "count", "params": {}}], "/0/params"),
        ([{"operation": "count", "config": []}], "/0/config"),
    ],
)
def test_what_is_no_operation_is_refused(written, path):
    with pytest.raises(InvalidError) as caught:
        compile_operations(written)
    assert [(issue.code, issue.path) for issue in caught.value.issues] == [("E_SCHEMA", path)]


COLUMNS = ["Status", "Client name", "days_left"]


@pytest.mark.parametrize(
    ("operation", "path", "fix"),
    [
        (
            ("sort", {"by": [{"field": "status"}]}),
            "/0/config/by/0/field",
            {"op": "replace", "path": "/0/config/by/0/field", "value": "Status"},
        ),
        (
            ("select", {"rename": {"days_lft": "Days"}}),
            "/0/config/rename/days_lft",
            {
                "op": "move",
                "from": "/0/config/rename/days_lft",
                "path": "/0/config/rename/days_left",
            },
        ),
        (
            ("filter", {"condition": "item.status == 'x' and item.days_left > 1"}),
            "/0/config/condition",
            {
                "op": "replace",
                "path": "/0/config/condition",
                "value": "item.Status == 'x' and item.days_left > 1",
            },
        ),
        (
            ("map", {"fields": {"Client": "item.client_name"}}),
            "/0/config/fields/Client",
            {"op": "replace", "path": "/0/config/fields/Client", "value": "item['Client name']"},
        ),
        (
            ("filter", {"condition": {"field": "client name", "operator": "is_null"}}),
            "/0/config/condition",
            {
                "op": "replace",
                "path": "/0/config/condition",
                "value": {"field": "Client name", "operator": "is_null"},
            },
        ),
        (
            ("filter", {"condition": {"or": ["item.Staus == 1", {"not": True}]}}),
            "/0/config/condition",
            {
                "op": "replace",
                "path": "/0/config/condition",
                "value": {"or": ["item.Status == 1", {"not": True}]},
            },
        ),
        (("project_column", {"field": "Email"}), "/0/config/field", None),
    ],
)
def test_a_field_that_the_known_rows_lack_is_found_before_the_run(operation, path, fix):
    found = pipeline(operation).check(COLUMNS)
    assert [(issue.code, issue.path) for issue in found] == [("E_REF_FIELD", path)]
    assert found[0].fix == (fix and [fix])


def test_nothing_is_said_of_rows_that_are_not_known():
    assert pipeline(("sort", {"by": [{"field": "anything"}]})).check(None) == []


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ("exists(item.Notes) and item.days_left > 1", 0),
        ("default( item['Notes'], 0) > 1", 0),
        ({"field": "Notes", "operator": "is_not_empty"}, 0),
        ("exists(item.Notes) and item.Notes != ''", 1),
        ("item.Status == 'exists(item.Notes)' and item.Notes == 1", 1),
    ],
)
def test_a_field_that_may_be_missing_is_no_mistake(condition, wrong):
    found = pipeline(("filter", {"condition": condition})).check(COLUMNS)
    assert len(found) == wrong


def test_later_fields_see_earlier_ones():
    config = {"fields": {"late": "item.days_left < 0", "text": "item.late", "bad": "item.text2"}}
    found = pipeline(("with_fields", config)).check(COLUMNS)
    assert [issue.path for issue in found] == ["/0/config/fields/bad"]


@pytest.mark.parametrize(
    ("operation", "columns"),
    [
        (("map", {"fields": {"A": "item.Status"}}), ["A"]),
        (("with_fields", {"fields": {"A": "1", "Status": "2"}}), [*COLUMNS, "A"]),
        (
            ("select", {"omit": ["Status"], "rename": {"days_left": "Days"}}),
            ["Client name", "Days"],
        ),
        (("filter", {"condition": True}), COLUMNS),
        (("group", {"by": "Status"}), ["key", "items", "count"]),
        (("group", {"by": "Status", "as": "object"}), None),
        (("aggregate", {"by": "Status", "measures": {"n": {"op": "count"}}}), ["Status", "n"]),
        (("aggregate", {"measures": {"n": {"op": "count"}}}), None),
        (("join", {"right": "[]", "left_key": "Status", "as": "c"}), [*COLUMNS, "c"]),
        (("join", {"right": "[]", "left_key": "Status", "kind": "anti"}), COLUMNS),
        (("join", {"right": "[]", "left_key": "Status"}), None),
        (
            ("unpivot", {"fields": ["Status"], "value": "v"}),
            ["Client name", "days_left", "name", "v"],
        ),
        (("project_column", {"field": "Status"}), None),
        (("find", {"condition": True}), None),
        (("flatten", {"field": "Status", "keep": ["days_left"]}), None),
        (("set_union", {"right": "[]", "by": "Status"}), None),
        (("objects_to_rows", {}), None),
        (("expand", {"field": "Status"}), None),
        (("parse", {"types": {"days_left": "number"}}), COLUMNS),
    ],
)
def test_the_columns_that_come_out_are_known_before_the_run(operation, columns):
    assert pipeline(operation).columns(COLUMNS) == columns


def test_a_select_knows_its_columns_without_those_of_the_input():
    assert pipeline(("select", {"fields": ["a"], "rename": {"a": "b"}})).columns(None) == ["b"]
    assert pipeline(("select", {"omit": ["a"]})).columns(None) is None


@pytest.mark.parametrize(
    ("operation", "shape"),
    [
        (("find", {"condition": True}), Shape("object", tuple(COLUMNS))),
        (("objects_to_rows", {"columns": ["Status"]}), Shape("table", ("Status",))),
        (("objects_to_rows", {}), Shape("table", tuple(COLUMNS))),
        (("flatten", {"field": "Status"}), Shape()),
        (("flatten", {"field": "Status", "keep": ["days_left"]}), Shape("rows")),
        (("set_union", {"right": "[]"}), Shape()),
        (("count", {}), Shape("value")),
        (("render_table", {}), Shape("object", ("text", "rows"))),
    ],
)
def test_the_kind_that_comes_out_is_known_before_the_run(operation, shape):
    assert pipeline(operation).shape(Shape("rows", tuple(COLUMNS))) == shape


def test_what_is_not_known_stays_so():
    assert pipeline(("find", {"condition": True})).shape() == Shape()
    assert pipeline(("unpivot", {"fields": ["a"]})).shape() == Shape("rows")


def test_a_sheet_with_a_known_header_gives_rows_of_its_columns():
    sheet = Shape("table", ("A", "B"))
    compiled = pipeline(("rows_to_objects", {}), ("sort", {"by": [{"field": "C"}]}))
    assert compiled.shape(sheet) == Shape("rows", ("A", "B"))
    assert [issue.path for issue in compiled.check(None, sheet)] == ["/1/config/by/0/field"]


@pytest.mark.parametrize(
    "operation",
    [
        ("filter", {"condition": "item.Status == 'x'"}),
        ("select", {"fields": ["Status"]}),
        ("render_table", {}),
    ],
)
def test_an_operation_on_objects_cannot_take_a_sheet(operation):
    found = pipeline(operation).check(None, Shape("table"))
    assert [(issue.code, issue.path) for issue in found] == [("E_TYPE", "/0")]
    assert found[0].fix == [{"op": "add", "path": "/0", "value": {"operation": "rows_to_objects"}}]


def test_a_conversion_of_what_is_converted_already_is_left_out():
    found = pipeline(("rows_to_objects", {})).check(["A"])
    assert (found[0].code, found[0].fix) == ("E_TYPE", [{"op": "remove", "path": "/0"}])


def test_kinds_are_followed_through_the_pipeline():
    compiled = pipeline(
        ("project_column", {"field": "A"}),
        ("limit", {"count": 2}),
        ("sort", {"by": [{"field": "A"}]}),
    )
    found = compiled.check(["A"])
    assert [(issue.code, issue.path, issue.got) for issue in found] == [
        ("E_TYPE", "/2", "a list of plain values")
    ]


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_is_documented(name):
    operation = OPERATIONS[name]
    assert operation.summary.endswith((".", "}]", "}"))
    properties = operation.config.model_json_schema()["properties"]
    assert all(field.get("description") for field in properties.values()), name
