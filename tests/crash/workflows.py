"""The workflows that are killed: every effect class, branches, waits, retries and approvals.

Each takes a unique `id`, and its output depends on all steps.
"""

from hypothesis import settings

BASE = "http://receiver.invalid"  # stands for the receiver's address

INPUTS = {
    "type": "object",
    "properties": {"id": {"type": "string"}},
    "required": ["id"],
}


def _set(name, value, *after, **fields):
    config = {"value": value}
    step = {"id": name, "type": "transform", "operation": "set", "config": config}
    return step | {"dependencies": list(after)} | fields


def _call(mode, name, *after, ask="wait_ms=15", **fields):
    """A request of one effect class to the receiver, after other steps."""
    url = f"{BASE}/{mode}/{{{{inputs.id}}}}/{name}?{ask}"
    step = {"id": name, "type": "action", "dependencies": list(after)} | fields
    if mode == "probe":
        return step | {"plugin": "receiver", "action": "apply", "params": {"url": url}}
    if mode == "door":
        url = url.replace("/door/", "/probe/")
        fields = {"plugin": "door", "action": "enter", "connection": "door"}
        return step | fields | {"params": {"url": url}}
    if mode == "guarded":
        url = url.replace("/guarded/", "/probe/")
        return step | {"plugin": "receiver", "action": "guarded", "params": {"url": url}}
    params = {"method": "GET" if mode == "read" else "POST", "url": url}
    if mode != "read":
        params["json"] = {"id": "{{inputs.id}}"}
    if mode == "keyed":
        params["idempotency"] = "receiver_honours_key"
    return step | {"plugin": "http", "action": "request", "params": params}


def _document(name, *steps, output):
    return {"format": 1, "name": name, "inputs": INPUTS, "steps": list(steps), "output": output}


CHAIN = _document(
    "chain",
    _call("read", "look"),
    _set("shape", "{{steps.look.output.json.value + 1}}"),
    {
        "id": "check",
        "type": "conditional",
        "condition": "steps.shape.output > 1",
        "then": [_set("inner", "{{steps.shape.output * 2}}"), _call("keyed", "send", "inner")],
        "else": [_call("once", "never")],
    },
    _call("probe", "file", "check"),
    {
        "id": "row",
        "type": "action",
        "plugin": "tables",
        "action": "append_rows",
        "dependencies": ["file"],
        "params": {"table": "log", "rows": [{"id": "{{inputs.id}}"}]},
    },
    _set(
        "total",
        {
            "inner": "{{steps.check.output.value.json.step}}",
            "file": "{{steps.file.output.step}}",
            "rows": "{{steps.row.output.appended}}",
            "shape": "{{steps.shape.output}}",
        },
    ),
    output="{{steps.total.output}}",
)

WIDE = _document(
    "wide",
    _call("keyed", "left", ask="wait_ms=30&flaky=1", retry={"max_attempts": 5, "base_s": 0.05}),
    _call("probe", "right", ask="wait_ms=20"),
    _call("read", "far", ask="wait_ms=25"),
    {"id": "rest", "type": "delay", "for_s": 0.03},
    _set("bad", "{{steps.far.output.json.missing}}", on_error={"branch": [_set("mend", "mended")]}),
    _set(
        "all",
        [
            "{{steps.left.output.json.step}}",
            "{{steps.right.output.step}}",
            "{{steps.far.output.json.value}}",
            "{{steps.bad.output}}",
        ],
        "rest",
    ),
    output="{{steps.all.output}}",
)

ONCE = _document(
    "once",
    _set("first", "{{inputs.id}}"),
    _call("once", "pay", "first", ask="wait_ms=40"),
    _call("keyed", "book", "pay"),
    _set("last", ["{{steps.pay.output.json.step}}", "{{steps.book.output.json.step}}"]),
    output=["{{steps.first.output}}", "{{steps.last.status}}"],
)

ASKED = _document(
    "asked",
    _call("keyed", "before"),
    {
        "id": "ask",
        "type": "human_approval",
        "title": "Go on with {{inputs.id}}?",
        "approvers": ["owner"],
        "dependencies": ["before"],
    },
    _call("keyed", "after", "ask"),
    output=["{{steps.before.output.json.step}}", "{{steps.after.output.json.step}}"],
)

VOIDED = _document(
    "voided",
    {
        "id": "ask",
        "type": "human_approval",
        "title": "Go on with {{inputs.id}}?",
        "approvers": ["owner"],
        "guards": ["after"],
    },
    _call("read", "late", "ask"),
    _call("keyed", "after", "ask", "late", ask="wait_ms={{steps.late.output.json.value}}"),
    output="{{steps.after.output.json.step}}",
)

LATER = _document(
    "later",
    _call("keyed", "before"),
    {"id": "rest", "type": "delay", "for_s": 1.0, "dependencies": ["before"]},
    _call("probe", "after", "rest"),
    output=["{{steps.before.output.json.step}}", "{{steps.after.output.step}}"],
)

SLOW = _document(
    "slow",
    _call("keyed", "one", ask="wait_ms=600"),
    _call("probe", "two", "one", ask="wait_ms=600"),
    _call("keyed", "three", "two", ask="wait_ms=600"),
    output=["{{steps.one.output.json.step}}", "{{steps.three.output.json.step}}"],
)

FAILS = _document(
    "fails",
    _call("keyed", "try", ask="flaky=1", retry={"max_attempts": 1}),
    _call("keyed", "then", "try"),
    output="{{steps.then.output.json.step}}",
)

POISON = _document(
    "poison",
    _call("keyed", "before"),
    {
        "id": "die",
        "type": "action",
        "plugin": "receiver",
        "action": "die",
        "dependencies": ["before"],
    },
    output="{{steps.die.output}}",
)

LARGE = _document(
    "large",
    _set("seed", "{{inputs.id}} " + "x" * 30_000),
    _set("big", {"id": "{{inputs.id}}", "rows": ["{{steps.seed.output}}"] * 12}),
    _call("once", "pay", "big"),
    _set("count", "{{len(steps.big.output.rows)}} {{steps.pay.output.json.step}}"),
    output=["{{steps.count.output}}", "{{steps.big.output}}"],
)


def _in_round(step, mark="{{index}}"):
    """Return a call whose request names its round."""
    url = step["params"]["url"].replace(f"/{step['id']}?", f"/{step['id']}{mark}?")
    return step | {"params": step["params"] | {"url": url}}


ROUNDS = _document(
    "rounds",
    _set("list", [3, 5, 7]),
    {
        "id": "each",
        "type": "scatter_gather",
        "items": "steps.list.output",
        "max_concurrency": 2,
        "steps": [
            _in_round(_call("keyed", "send")),
            _set("kept", "{{steps.send.output.json.step}} {{item}}"),
        ],
        "gather": {"operation": "reduce", "op": "concat"},
    },
    {
        "id": "again",
        "type": "loop",
        "items": "steps.list.output",
        "dependencies": ["each"],
        "output": "{{default(loop.previous, 0) + item}}",
        "break_if": "index == 1",
        "steps": [
            _in_round(_call("probe", "file")),
            {"id": "nap", "type": "delay", "for_s": 0.02, "dependencies": ["file"]},
        ],
    },
    {
        "id": "both",
        "type": "parallel_group",
        "dependencies": ["again"],
        "branches": {
            "one": [_call("keyed", "left"), _set("seen", "{{steps.left.output.json.step}}")],
            "two": [_set("mid", 1), _call("once", "right", "mid")],
        },
    },
    output=[
        "{{steps.each.output.value}}",
        "{{steps.again.output.items}}",
        "{{steps.both.output.one}}",
    ],
)

NESTED = _document(
    "nested",
    _call("keyed", "before"),
    {
        "id": "sub",
        "type": "sub_workflow",
        "dependencies": ["before"],
        "inputs_schema": INPUTS,
        "inputs": {"id": "{{inputs.id}}"},
        "steps": [
            _call("keyed", "deep"),
            {"id": "rest", "type": "delay", "for_s": 0.02, "dependencies": ["deep"]},
            _call("probe", "deeper", "rest"),
        ],
    },
    _call("keyed", "after", "sub"),
    output=["{{steps.sub.output.output.step}}", "{{steps.after.output.json.step}}"],
)

FAMILY = _document(
    "family",
    {
        "id": "sub",
        "type": "sub_workflow",
        "inputs_schema": INPUTS,
        "inputs": {"id": "{{inputs.id}}"},
        "steps": [
            _call("keyed", "slow", ask="wait_ms=400"),
            {"id": "rest", "type": "delay", "for_s": 1.5, "dependencies": ["slow"]},
            _call("probe", "last", "rest"),
        ],
    },
    output="{{steps.sub.output.output.step}}",
)

CAREFUL = _document(
    "careful",
    _call("keyed", "before"),
    _call("guarded", "act", "before"),
    _call("keyed", "after", "act"),
    output=["{{steps.act.output.step}}", "{{steps.after.output.json.step}}"],
)

SHUT = _document(  # its connection is refused until somebody mends it
    "shut",
    _call("keyed", "before"),
    _call("door", "act", "before"),
    _call("keyed", "after", "act"),
    output=["{{steps.act.output.step}}", "{{steps.after.output.json.step}}"],
)

PLAYED = _document(  # for simulations: what an hour's rest and a person would hold up
    "played",
    _call("keyed", "one"),
    {"id": "rest", "type": "delay", "for_s": 3600, "dependencies": ["one"]},
    _set("list", [3, 5, 7], "rest"),
    {
        "id": "each",
        "type": "scatter_gather",
        "items": "steps.list.output",
        "steps": [
            _in_round(_call("probe", "send")),
            _set("kept", "{{steps.send.output.step}} {{item}}"),
        ],
        "gather": {"operation": "reduce", "op": "concat"},
    },
    {"id": "ask", "type": "human_approval", "title": "Pay?", "approvers": ["owner"]}
    | {"dependencies": ["each"]},
    _call("once", "pay", "ask"),
    output=["{{steps.one.status}}", "{{steps.each.output.value}}", "{{steps.pay.status}}"],
)

UNDONE = _document(
    "undone",
    _call("keyed", "one", compensate={"plugin": "http", "action": "request"}),
    _call("probe", "two", "one", compensate={"plugin": "http", "action": "request"}),
    _set("bad", "{{steps.one.output.json.missing}}", "two"),
    output="{{steps.bad.output}}",
)
for _step in UNDONE["steps"][:2]:
    _step["compensate"]["params"] = _call("keyed", f"back_{_step['id']}")["params"]

FLAPS = _document(
    "flaps",
    _call("keyed", "try", ask="flaky=4", retry={"max_attempts": 9, "base_s": 0.02, "max_s": 0.1}),
    _call("keyed", "then", "try"),
    output="{{steps.then.output.json.step}}",
)

AWAITS = _document(
    "awaits",
    _call("keyed", "before"),
    {"id": "come", "type": "wait_for_event", "event": "go.{{inputs.id}}"}
    | {"dependencies": ["before"]},
    _call("keyed", "after", "come"),
    output=["{{steps.come.output.payload}}", "{{steps.after.output.json.step}}"],
)

ITEMS = 10_000 if settings.get_current_profile_name() == "nightly" else 2_000
MANY = _document(
    "many",
    {
        "id": "all",
        "type": "scatter_gather",
        "items": list(range(ITEMS)),
        "max_concurrency": 200,
        "steps": [_set("twice", "{{item * 2}}")],
        "gather": {"operation": "reduce", "op": "sum"},
    },
    _call("keyed", "tell", "all"),
    output=["{{steps.all.output.value}}", "{{steps.tell.output.json.step}}"],
)

SHARED = _document(
    "shared",
    _call("keyed", "first", ask="wait_ms=700"),  # until all workers know of each other
    {
        "id": "all",
        "type": "scatter_gather",
        "items": list(range(40)),
        "max_concurrency": 4,
        "dependencies": ["first"],
        "steps": [
            _in_round(_call("keyed", "send", ask="wait_ms=5")),
            _set("twice", "{{item * 2}}"),
        ],
        "gather": {"operation": "reduce", "op": "sum"},
    },
    _call("keyed", "tell", "all"),
    output=["{{steps.all.output.value}}", "{{steps.tell.output.json.step}}"],
)

_DOCUMENTS = (
    CHAIN,
    WIDE,
    ONCE,
    ASKED,
    VOIDED,
    LATER,
    SLOW,
    FAILS,
    POISON,
    LARGE,
    ROUNDS,
    NESTED,
    MANY,
    SHARED,
    UNDONE,
    FLAPS,
    AWAITS,
    FAMILY,
    CAREFUL,
    PLAYED,
    SHUT,
)
ALL = {one["name"]: one for one in _DOCUMENTS}
SIMULATED = "simulated:"  # before a name: without the world
ENDS = {"undone": "failed"}  # the others are completed
