"""Milliseconds to validate a workflow of 50 steps, every one different from the last run's.

Baseline: reading the same document into its models without any check of what it means.
"""

from benchmarks.figures import figure, percentile, timed_ms
from pilot.engine.language import catalogue
from pilot.engine.workflow import document
from pilot.engine.validation import validate

GOAL_MS = 5.0
RUNS = 60


def workflow(run: int) -> dict:
    """Return 10 times read, reshape, render, decide, send; `run` keeps texts from being known."""
    steps = []
    for n in range(10):
        steps += [
            {
                "id": f"read{n}",
                "type": "action",
                "plugin": "tables",
                "action": "read_range",
                "params": {"table": "{{inputs.table}}", "tab": f"Tab {n}"},
            },
            {
                "id": f"due{n}",
                "type": "transform",
                "input": f"steps.read{n}.output.values",
                "operations": [
                    {"operation": "rows_to_objects"},
                    {"operation": "with_fields", "config": {"fields": {"days": "number(item.d)"}}},
                    {"operation": "filter", "config": {"condition": f"item.days > {run + n}"}},
                    {"operation": "sort", "config": {"by": [{"field": "days"}]}},
                ],
            },
            {
                "id": f"table{n}",
                "type": "transform",
                "input": f"steps.due{n}.output",
                "operation": "render_table",
                "config": {"columns": ["Name", "days"], "empty": "None."},
            },
            {
                "id": f"ask{n}",
                "type": "ai_processing",
                "input": f"steps.due{n}.output",
                "prompt": f"Explain in {run + 1} sentences.",
            },
            {
                "id": f"send{n}",
                "type": "action",
                "plugin": "mail",
                "action": "send",
                "execute_if": f"len(steps.due{n}.output) > {run}",
                "dependencies": [f"send{n - 1}"] if n else [],
                "params": {
                    "to": ["{{inputs.to}}"],
                    "subject": f"{run}: {{{{len(steps.due{n}.output)}}}}",
                    "html": f"{{{{steps.table{n}.output.text}}}}",
                },
            },
        ]
    inputs = {
        "type": "object",
        "properties": {"table": {"type": "string"}, "to": {"type": "string"}},
    }
    return {"format": 1, "inputs": inputs, "steps": steps}


def main() -> None:
    """Print the figure."""
    known = catalogue.load()
    documents = [workflow(run) for run in range(RUNS)]
    errors = [one for one in validate(documents[0], known) if one.severity == "error"]
    assert not errors, errors
    read = [timed_ms(lambda: document.parse(one)) for one in documents]
    checked = [timed_ms(lambda: validate(one, known)) for one in documents[1:]]
    figure(
        "validate a workflow of 50 steps, p50",
        percentile(checked, 50),
        "ms",
        len(checked),
        percentile(read, 50),
        GOAL_MS,
    )


if __name__ == "__main__":
    main()
