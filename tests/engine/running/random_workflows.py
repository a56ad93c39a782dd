"""Small workflows at random: every kind of step that holds others, failures, undoing.

One step comes after the other: of two at once it is chance which fails first and stops the other.
"""

from random import Random

from tests.engine import worker_process as wp
from tests.engine.running.test_simulation import send

INPUTS = {"type": "object", "additionalProperties": True}
GIVEN = {"yes": True, "no": False, "n": 2, "items": [1, 2, 3]}
CONDITIONS = ("inputs.yes", "inputs.no", "inputs.missing.part")
HOLDERS = ("conditional", "switch", "loop", "scatter_gather", "parallel_group", "sub_workflow")
UNDO = {key: send("x")[key] for key in ("plugin", "action", "params")}


class Workflow:
    """Makes steps; each id is given once. `agent` is one that they may run."""

    def __init__(self, seed, agent):
        self.random, self.agent, self.count = Random(seed), agent, 0

    def document(self):
        steps = self.body(3)
        policies = {"on_error": self.one("stop", "finish")}
        return {"steps": steps, "inputs": INPUTS, "policies": policies}

    def one(self, *choices):
        return self.random.choice(choices)

    def body(self, depth, item="inputs.n", known=(), most=3):
        steps, seen = [], [*known]
        for _ in range(self.random.randint(1, most)):
            steps.append(self.step(depth, item, seen))
            if len(steps) > 1:
                steps[-1]["dependencies"] = [steps[-2]["id"]]
            seen.append(steps[-1]["id"])
        return steps

    def step(self, depth, item, seen):
        self.count += 1
        name = f"s{self.count}"
        kinds = ("put", "put", "bad", "delay", "send", "agent_") + (*HOLDERS, *HOLDERS, "stop") * (
            depth > 0
        )
        step = getattr(self, self.one(*kinds))(depth, item, seen) | {"id": name}
        if self.one(False, False, True):
            step["execute_if"] = self.one(*CONDITIONS)
        if self.one(False, False, True):
            step["compensate"] = UNDO
        answers = [None, None, "continue", {"continue": {"output": 7}}]
        if depth:
            answers.append({"branch": self.body(depth - 1, most=2)})
        answer = self.one(*answers)
        return step if answer is None else step | {"on_error": answer}

    def value(self, item, seen):
        read = [f"{{{{default(steps.{name}.output, 'none')}}}}" for name in seen[-3:]]
        return self.one("{{inputs.n}}", f"{{{{{item}}}}}", 5, *read)

    def put(self, depth, item, seen):
        return wp.put("x", self.value(item, seen))

    def bad(self, depth, item, seen):
        return wp.put("x", f"{{{{if_else({item} > 1, {item}, number('x'))}}}}")

    def delay(self, depth, item, seen):
        return {"type": "delay", "for_s": 0.01}

    def send(self, depth, item, seen):
        return send("x", params=UNDO["params"] | {"text": f"- {self.value(item, seen)}"})

    def agent_(self, depth, item, seen):
        return {"type": "sub_workflow", "agent": self.agent, "inputs": {}}

    def stop(self, depth, item, seen):
        return {"type": "stop", "outcome": self.one("completed", "failed"), "message": "over"}

    def conditional(self, depth, item, seen):
        made = {"type": "conditional", "condition": self.one(f"{item} > 1", *CONDITIONS)}
        made["then"] = self.body(depth - 1, item, seen)
        return made | ({"else": self.body(depth - 1, item, seen)} if self.one(0, 1) else {})

    def switch(self, depth, item, seen):
        cases = [{"when": n, "steps": self.body(depth - 1, item, seen, 2)} for n in (1, 2)]
        made = {"type": "switch", "value": item, "cases": cases}
        return made | ({"default": self.body(depth - 1, item, seen)} if self.one(0, 1) else {})

    def loop(self, depth, item, seen):
        made = {"type": "loop", "steps": self.body(depth - 1, "item", seen, 2)}
        if self.one(False, False, True):
            made["steps"] = self.body(depth - 1, "index", seen, 2)
            return made | {"while": "index < 2", "max_iterations": self.one(1, 4)}
        more = self.one({}, {"break_if": "index == 1"}, {"max_iterations": 2})
        return made | {"items": "inputs.items"} | self.failure() | more

    def scatter_gather(self, depth, item, seen):
        made = {"type": "scatter_gather", "items": "inputs.items"} | self.failure()
        return made | {"steps": self.body(depth - 1, "item", seen, 2)}

    def failure(self):
        return {"failure": self.one("stop", "collect", {"tolerate": 1}, {"tolerate": "50%"})}

    def parallel_group(self, depth, item, seen):
        branches = {name: self.body(depth - 1, item, seen, 2) for name in ("a", "b")}
        join = {"join": self.one("all", "any", 1, 2), "rest": "finish", "max_concurrency": 1}
        return {"type": "parallel_group", "branches": branches} | join

    def sub_workflow(self, depth, item, seen):
        given = {"n": f"{{{{{item}}}}}", "yes": True, "no": False, "items": [1, 2]}
        body = self.body(min(depth - 1, 1))
        return {"type": "sub_workflow", "inputs": given, "inputs_schema": INPUTS, "steps": body}
