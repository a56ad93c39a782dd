"""Workflows that are right, for the tests of the document and of its validator."""

from copy import deepcopy
from typing import Any

from tests.engine.goal_documents import LEADS, ORDER, SUMMARY, TASKS, URGENT

# The example of the workflow reference.
CONTRACTS: dict[str, Any] = {
    "format": 1,
    "name": "Contracts that expire soon",
    "inputs": {
        "type": "object",
        "required": ["table", "to"],
        "properties": {
            "table": {"type": "string"},
            "to": {"type": "string", "format": "email"},
            "days": {"type": "integer", "default": 10},
        },
    },
    "steps": [
        {
            "id": "read",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "{{inputs.table}}", "tab": "Contracts"},
        },
        {
            "id": "due",
            "type": "transform",
            "input": "steps.read.output.values",
            "operations": [
                {"operation": "rows_to_objects"},
                {"operation": "parse", "config": {"types": {"End date": "date:DD/MM/YYYY"}}},
                {
                    "operation": "with_fields",
                    "config": {
                        "fields": {"days_left": "date_diff(today(), item['End date'], 'days')"}
                    },
                },
                {
                    "operation": "filter",
                    "config": {
                        "condition": "item.Status == 'Active' and item.days_left >= 0 "
                        "and item.days_left <= inputs.days"
                    },
                },
                {"operation": "sort", "config": {"by": [{"field": "days_left"}]}},
            ],
        },
        {
            "id": "list",
            "type": "transform",
            "input": "steps.due.output",
            "operation": "render_table",
            "config": {
                "columns": ["Client", "End date", "days_left"],
                "format": "html",
                "empty": "None in the next {{inputs.days}} days.",
            },
        },
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["{{inputs.to}}"],
                "subject": "Expiring contracts ({{len(steps.due.output)}})",
                "html": "{{steps.list.output.text}}",
            },
        },
    ],
}


def contracts(**changes: Any) -> dict[str, Any]:
    """Return a copy of the example with other top-level keys."""
    return {**deepcopy(CONTRACTS), **changes}


def workflow(*steps: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Return a document of these steps."""
    return {"format": 1, "steps": list(steps), **keys}


def waiting(step_id: str, **fields: Any) -> dict[str, Any]:
    """Return a small step."""
    return {"id": step_id, "type": "delay", "for_s": 1, **fields}


GOOD: dict[str, dict[str, Any]] = {
    "contracts": CONTRACTS,
    "urgent": URGENT,
    "tasks": TASKS,
    "leads": LEADS,
    "order": ORDER,
    "summary": SUMMARY,
}
