"""Writes the workflow document of the calls: steps, inputs for what is missing, the outputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pilot.engine.clause_planner.binding import Bound, Call, conversion
from pilot.engine.clause_planner.described import Output, Parameter
from pilot.engine.validation import schemas
from pilot.plugins import Effect

Step = dict[str, Any]
MAX_ID = 60
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COPIED = ("description", "format", "enum", "minimum", "maximum")
APPROVE = "approve"


@dataclass
class Plan:
    """All that the document says."""

    goal: str
    zone: str
    calls: Sequence[Call]
    conditions: Mapping[int, str] = field(default_factory=dict)  # by number of the call
    approvals: Mapping[int, str] = field(default_factory=dict)  # approver, before that call

    def __post_init__(self) -> None:
        self.ids = _ids(self.calls)
        self.inputs: dict[str, Any] = {}

    def refer(self, number: int, output: Output) -> str:
        """Return the expression for a field of a call."""
        return _path(self.ids[number], output)

    def document(self) -> dict[str, Any]:
        """Return the document."""
        steps: list[Step] = []
        last_effect: str | None = None
        for number, call in enumerate(self.calls):
            waits: list[str] = [last_effect] if last_effect else []
            if number in self.approvals:
                approval = self._approval(number, waits)
                steps.append(approval)
                waits = [str(approval["id"])]
            step = self._step(number, call)
            acts = call.action.effect != Effect.PURE
            if waits and (acts or number in self.approvals):
                step["dependencies"] = waits
            last_effect = self.ids[number] if acts else last_effect
            steps.append(step)
        result = {
            "format": 1,
            "name": " and ".join(dict.fromkeys(one.action.title for one in self.calls))[:120],
            "goal": self.goal,
            "inputs": {
                "type": "object",
                "required": list(self.inputs),
                "properties": self.inputs,
            },
            "defaults": {"zone": self.zone},
            "steps": steps,
        }
        outputs = self._outputs()
        return {**result, "output": outputs} if outputs else result

    def _step(self, number: int, call: Call) -> Step:
        params = {
            one.name: self._value(number, call, one)
            for one in call.action.parameters
            if one.name in call.bound or one.required
        }
        step: Step = {
            "id": self.ids[number],
            "name": call.action.title[:120],
            "type": "action",
            "plugin": call.action.plugin,
            "action": call.action.name.removeprefix(f"{call.action.plugin}."),
            "params": params,
        }
        if number in self.conditions:
            step["execute_if"] = self.conditions[number]
        return step

    def _value(self, number: int, call: Call, one: Parameter) -> Any:
        bound = call.bound.get(one.name)
        if bound is None:
            return f"{{{{inputs.{self._input(number, one)}}}}}"
        return self.written(bound, one)

    def written(self, bound: Bound, one: Parameter) -> Any:
        """Return what stands in the document for a bound parameter."""
        if bound.call is None or bound.output is None:
            return bound.value
        path, function = self.refer(bound.call, bound.output), conversion(bound.output, one)
        return f"{{{{{function}({path})}}}}" if function else f"{{{{{path}}}}}"

    def _input(self, number: int, one: Parameter) -> str:
        """Return the input that asks for a parameter; equal ones share it."""
        plain = schemas.options(one.schema)[0]
        kind = str(plain.get("type", "string"))
        part: dict[str, Any] = {"type": kind, "title": " ".join(one.words).capitalize()[:120]}
        part |= {key: plain[key] for key in _COPIED if key in plain}
        part |= {"description": one.schema["description"]} if "description" in one.schema else {}
        if kind == "array" and isinstance(plain.get("items"), dict):
            inner = plain["items"].get("type")
            part |= {"items": {"type": inner}} if isinstance(inner, str) else {}
        name = "_".join(one.words) or "value"
        name = name if _NAME.fullmatch(name) else f"value_{name}"
        if name in self.inputs and self.inputs[name] != part:
            name = f"{self.ids[number]}_{name}"[:MAX_ID]
        self.inputs[name] = part
        return name

    def _approval(self, number: int, waits: list[str]) -> Step:
        title = self.calls[number].action.title
        first = number == min(self.approvals)
        step: Step = {
            "id": APPROVE if first else f"{APPROVE}_{self.ids[number]}"[:MAX_ID],
            "name": "Ask for approval",
            "type": "human_approval",
            "title": f"Go on with: {title}?"[:200],
            "approvers": [self.approvals[number]],
            "guards": [self.ids[number]],
        }
        return {**step, "dependencies": waits} if waits else step

    def _outputs(self) -> dict[str, str]:
        """Return the results that no later step reads, by step; skipped steps have none."""
        read = {
            bound.call
            for call in self.calls
            for bound in call.bound.values()
            if bound.call is not None
        }
        shown = [
            name
            for number, name in enumerate(self.ids)
            if number not in read and number not in self.conditions
        ]
        return {name: f"{{{{steps.{name}.output}}}}" for name in shown}


def _ids(calls: Sequence[Call]) -> list[str]:
    found: list[str] = []
    for call in calls:
        plain = re.sub(r"\W", "_", call.action.name.removeprefix(f"{call.action.plugin}."))
        base = (plain if _NAME.fullmatch(plain) else f"step_{plain}")[:MAX_ID]
        count = sum(known == base or known.startswith(f"{base}__") for known in found)
        found.append(f"{base}__{count + 1}" if count else base)
    return found


def _path(step: str, output: Output) -> str:
    text = f"steps.{step}.output"
    for part in output.path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _NAME.fullmatch(part):
            text += f".{part}"
        else:
            quote = '"' if "'" in part else "'"
            text += f"[{quote}{part}{quote}]"
    return text
