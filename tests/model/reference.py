"""What has to come out: workflows drawn at random, and what they give by rule, without an engine.

The reference knows no workers, fences or transactions; it only knows what each step gives and what
people decided. However often workers die, an execution has to end as it says.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st

SENT = {"keyed", "once", "flaky", "undone"}  # to the receiver
KINDS = ("set", "keyed", "once", "once", "flaky", "undone", "probe", "rest", "ask", "event", "each")
PAID = ("model",) * 4  # asks a model, which costs
SMALL_USD = "0.000125"  # room for one call, and for no other after it
FAR_S = 30 * 86_400
INPUTS = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["id", "n"],
    "additionalProperties": True,
}


@dataclass(frozen=True)
class Plan:
    """A workflow in short: the kind of each step and the steps that it depends on."""

    kinds: tuple[str, ...]
    needs: tuple[frozenset[int], ...]
    breaks: bool = False  # its last step fails
    is_tight: bool = False  # its budget is small

    def name(self, n):
        return f"{self.kinds[n]}{n}"


@st.composite
def plans(draw, known):
    kinds = tuple(draw(st.lists(st.sampled_from(known), min_size=2, max_size=5)))
    needs = []
    for n in range(len(kinds)):
        chain = frozenset({n - 1} if n else ())
        free = st.frozensets(st.integers(0, n - 1), max_size=2) if n else st.just(chain)
        needs.append(draw(st.one_of(st.just(chain), free)))
    breaks = draw(st.integers(0, 7).map(lambda n: n == 7))
    return Plan(kinds, tuple(needs), breaks, "model" in kinds and draw(st.booleans()))


def document(plan, host, pace):
    """Return the workflow of a plan; its requests go to `host`, and what it waits for is short."""
    steps = [
        _step(plan.kinds[n], plan.name(n), host, pace)
        | {"dependencies": [plan.name(one) for one in sorted(plan.needs[n])]}
        for n in range(len(plan.kinds))
    ]
    if plan.breaks:
        bad = {"id": "bad", "type": "transform", "operation": "set", "config": {"value": 1}}
        after = [plan.name(n) for n in range(len(plan.kinds))]
        steps.append(bad | {"execute_if": "inputs.missing.part", "dependencies": after})
    output = {step["id"]: "{{steps." + step["id"] + ".status}}" for step in steps}
    for n, kind in enumerate(plan.kinds):
        name = plan.name(n)
        place = {"set": "", "each": ".value"}.get(kind, ".json.step" if kind in SENT else None)
        if place is not None:
            output[name] = "{{default(steps." + name + ".output" + place + ", 'none')}}"
    found = {"format": 1, "name": "Model", "inputs": INPUTS, "steps": steps, "output": output}
    budget = {"policies": {"budget": {"cost_usd": SMALL_USD}}} if plan.is_tight else {}
    return found | budget


def _step(kind, name, host, pace):
    if kind in SENT:
        return _send(kind, name, host, name, pace)
    return {"id": name} | {
        "rest": lambda: {"type": "delay", "for_s": 2 * pace},
        "ask": lambda: (
            {"type": "human_approval", "on_timeout": "approve"}
            | {"title": "Go on?", "approvers": ["owner"], "timeout_s": 7200}
        ),
        "event": lambda: (
            {"type": "wait_for_event", "timeout_s": FAR_S} | {"event": "go.{{inputs.id}}." + name}
        ),
        "probe": lambda: (
            {"type": "action", "plugin": "tables", "action": "append_rows"}
            | {"params": {"table": "log", "rows": [{"id": "{{inputs.id}}." + name}]}}
        ),
        "each": lambda: (
            {"type": "scatter_gather", "items": "[inputs.n, inputs.n]"}
            | {"steps": [_send("keyed", f"{name}_send", host, name + "-{{index}}", pace)]}
            | {"max_concurrency": 2, "gather": {"operation": "reduce", "op": "count"}}
        ),
        "model": lambda: (
            {"type": "ai_processing", "prompt": "About {{inputs.id}}." + name + ": how many?"}
            | {"max_output_tokens": 200}
        ),
        "set": lambda: (
            {"type": "transform", "operation": "set"} | {"config": {"value": "{{inputs.n + 1}}"}}
        ),
    }[kind]()


def _send(kind, name, host, place, pace):
    mode = "once" if kind == "once" else "keyed"
    flaky = "?flaky=1" if kind == "flaky" else ""
    url = f"http://{host}/{mode}/{{{{inputs.id}}}}/{place}{flaky}"
    params = {"method": "POST", "url": url, "json": {"n": "{{inputs.n}}"}}
    if mode == "keyed":
        params["idempotency"] = "receiver_honours_key"
    step = {"id": name, "type": "action", "plugin": "http", "action": "request", "params": params}
    if kind == "undone":
        back = params | {"url": url.replace(f"/{place}", f"/back-{place}")}
        undo = {"plugin": "http", "action": "request", "params": back}
        return step | {"compensate": undo}
    retry = {"retry": {"max_attempts": 10, "base_s": 2.0 * pace, "factor": 1.0}}
    return step | (retry if mode == "keyed" else {})


@dataclass
class Expected:
    """What is known of an execution besides its plan: what people decided."""

    plan: Plan
    n: int
    refused: set[str] = field(default_factory=set)  # approvals, by step
    skipped: set[str] = field(default_factory=set)  # answers to unknown steps
    repeated: dict[str, int] = field(default_factory=dict)  # answers "run", by step
    cancelled: bool = False  # somebody asked for it
    late: bool = False  # its deadline passed

    def statuses(self):
        """Return how each step ends, by name, if nothing ends the whole before."""
        found = {}
        plan = self.plan
        for n in range(len(plan.kinds)):
            name, needs = plan.name(n), [plan.name(one) for one in plan.needs[n]]
            gone = bool(needs) and all(found[one] == "skipped" for one in needs)
            found[name] = "skipped" if gone or name in self.skipped else "completed"
        if plan.breaks:
            gone = all(one == "skipped" for one in found.values())
            found["bad"] = "skipped" if gone else "failed"
        return found

    def ends(self):
        """Return the statuses in which it may end."""
        fails = self.refused or "failed" in self.statuses().values()
        broken = {"failed" if fails else "completed"}
        early = {"cancelled"} if self.cancelled else set()
        return broken | early | ({"failed"} if self.late else set())

    def output(self):
        """Return what it gives if it is completed."""
        found = self.statuses()
        for n, kind in enumerate(self.plan.kinds):
            name = self.plan.name(n)
            if kind in SENT:
                found[name] = name if found[name] == "completed" else "none"
            elif kind in {"set", "each"}:
                given = self.n + 1 if kind == "set" else 2
                found[name] = given if found[name] == "completed" else "none"
        return found

    def effects(self):
        """Return the requests that a completed one has made, with their modes."""
        done = self.statuses()
        found = set()
        for n, kind in enumerate(self.plan.kinds):
            name = self.plan.name(n)
            if done[name] != "completed":
                continue
            if kind in SENT:
                found.add(name)
            elif kind == "each":
                found |= {f"{name}-0", f"{name}-1"}
        return found
