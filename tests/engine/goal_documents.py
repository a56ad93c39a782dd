"""Workflows for real goals: G2, G8, G10, G20 and G23 of the list of goals."""

from typing import Any

# Mails with angry words of the last week, into a tab, none twice.
URGENT: dict[str, Any] = {
    "format": 1,
    "name": "Urgent mails into a table",
    "inputs": {
        "type": "object",
        "required": ["table"],
        "properties": {"table": {"type": "string"}},
    },
    "steps": [
        {
            "id": "search",
            "type": "action",
            "plugin": "mail",
            "action": "search",
            "params": {
                "mailbox": "INBOX",
                "since": "{{date_add(today(), -7, 'days')}}",
                "content": "full",
                "limit": 1000,
            },
        },
        {
            "id": "tab",
            "type": "action",
            "plugin": "tables",
            "action": "ensure_tab",
            "params": {
                "table": "{{inputs.table}}",
                "tab": "UrgentEmails",
                "columns": ["sender", "subject", "date", "text", "id"],
            },
        },
        {
            "id": "present",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "{{inputs.table}}", "tab": "UrgentEmails"},
            "dependencies": ["tab"],
        },
        {
            "id": "logged",
            "type": "transform",
            "input": "steps.present.output.values",
            "operation": "rows_to_objects",
        },
        {
            "id": "urgent",
            "type": "transform",
            "input": "steps.search.output.messages",
            "operations": [
                {
                    "operation": "filter",
                    "config": {
                        "condition": {
                            "field": "text",
                            "operator": "contains_any",
                            "value": ["complaint", "refund", "angry", "not working"],
                            "ignore_case": True,
                        }
                    },
                },
                {
                    "operation": "map",
                    "config": {
                        "fields": {
                            "sender": "item.from",
                            "subject": "item.subject",
                            "date": "item.date",
                            "text": "item.text",
                            "id": "item.id",
                        }
                    },
                },
                {
                    "operation": "set_difference",
                    "config": {"right": "steps.logged.output", "by": "id"},
                },
            ],
        },
        {
            "id": "append",
            "type": "action",
            "plugin": "tables",
            "action": "append_rows",
            "params": {
                "table": "{{inputs.table}}",
                "tab": "UrgentEmails",
                "rows": "{{steps.urgent.output}}",
                "key_column": "id",
            },
        },
    ],
}

# Critical tasks that end in the next three full days, over a sampled table.
TASKS: dict[str, Any] = {
    "format": 1,
    "name": "Critical tasks of the next days",
    "steps": [
        {
            "id": "read",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "gantt.csv"},
        },
        {
            "id": "due",
            "type": "transform",
            "input": "steps.read.output.values",
            "operations": [
                {"operation": "rows_to_objects"},
                {
                    "operation": "filter",
                    "config": {
                        "condition": {
                            "and": [
                                {"field": "Task", "operator": "is_not_empty"},
                                {
                                    "field": "Priority",
                                    "operator": "in",
                                    "value": ["Critical", "High"],
                                },
                            ]
                        }
                    },
                },
                {"operation": "parse", "config": {"types": {"End": "date:YYYY-MM-DD"}}},
                {
                    "operation": "with_fields",
                    "config": {"fields": {"days": "date_diff(today(), item.End, 'days')"}},
                },
                {
                    "operation": "filter",
                    "config": {"condition": "item.days >= 1 and item.days <= 3"},
                },
                {"operation": "sort", "config": {"by": [{"field": "End"}]}},
            ],
        },
        {
            "id": "table",
            "type": "transform",
            "input": "steps.due.output",
            "operation": "render_table",
            "config": {"columns": ["Task", "Priority", "End"], "empty": "None."},
        },
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["ann@example.com"],
                "subject": "{{steps.table.output.rows}} tasks",
                "html": "{{steps.table.output.text}}",
            },
        },
    ],
}

# Leads of stage 4 to three people, or "none found".
LEADS: dict[str, Any] = {
    "format": 1,
    "name": "Leads of stage 4",
    "inputs": {
        "type": "object",
        "required": ["people"],
        "properties": {"people": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    },
    "output": {"leads": "{{len(steps.leads.output)}}"},
    "output_schema": {
        "type": "object",
        "required": ["leads"],
        "properties": {"leads": {"type": "integer"}},
    },
    "steps": [
        {
            "id": "read",
            "type": "action",
            "plugin": "tables",
            "action": "read_range",
            "params": {"table": "leads.xlsx", "tab": "Leads"},
        },
        {
            "id": "leads",
            "type": "transform",
            "input": "{{steps.read.output.values}}",
            "operations": [
                {"operation": "rows_to_objects"},
                {"operation": "filter", "config": {"condition": "item.Stage == 4"}},
            ],
        },
        {
            "id": "any",
            "type": "conditional",
            "condition": "len(steps.leads.output) > 0",
            "then": [
                {
                    "id": "table",
                    "type": "transform",
                    "input": "steps.leads.output",
                    "operation": "render_table",
                    "config": {"columns": ["Name", "Stage"]},
                },
                {
                    "id": "send",
                    "type": "action",
                    "plugin": "mail",
                    "action": "send",
                    "params": {
                        "to": "{{unique(inputs.people)}}",
                        "subject": "Leads",
                        "html": "{{steps.table.output.text}}",
                    },
                },
            ],
            "else": [
                {
                    "id": "none",
                    "type": "action",
                    "plugin": "mail",
                    "action": "send",
                    "params": {
                        "to": "{{inputs.people}}",
                        "subject": "Leads",
                        "text": "None found.",
                    },
                }
            ],
        },
    ],
}

# An order over $1,000 needs a manager; then it is created, once, and confirmed.
ORDER: dict[str, Any] = {
    "format": 1,
    "name": "Purchase orders",
    "inputs": {
        "type": "object",
        "required": ["amount", "supplier", "to"],
        "properties": {
            "amount": {"type": "number"},
            "supplier": {"type": "string"},
            "to": {"type": "string", "format": "email"},
        },
    },
    "policies": {"deadline_s": 172_800},
    "steps": [
        {
            "id": "check",
            "type": "validation",
            "input": "inputs",
            "rules": [{"condition": "item.amount > 0", "message": "The amount is not positive."}],
        },
        {
            "id": "large",
            "type": "conditional",
            "condition": {"field": "inputs.amount", "operator": "greater_than", "value": 1000},
            "then": [
                {
                    "id": "manager",
                    "type": "human_approval",
                    "title": "Order of {{inputs.amount}} from {{inputs.supplier}}",
                    "approvers": ["role:approver"],
                    "rule": "any",
                    "timeout_s": 3600,
                    "on_timeout": "fail",
                    "require_comment": "reject",
                }
            ],
            "dependencies": ["check"],
        },
        {
            "id": "create",
            "type": "action",
            "plugin": "tables",
            "action": "append_rows",
            "params": {
                "table": "orders.csv",
                "rows": [{"supplier": "{{inputs.supplier}}", "amount": "{{inputs.amount}}"}],
            },
            "dependencies": ["large"],
        },
        {
            "id": "confirm",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["{{inputs.to}}"],
                "subject": "Ordered from {{inputs.supplier}}",
                "text": "{{steps.create.output.appended}} order was created.",
            },
        },
    ],
}

# The last mails, summed up by a model.
SUMMARY: dict[str, Any] = {
    "format": 1,
    "name": "Summary of my mails",
    "steps": [
        {
            "id": "search",
            "type": "action",
            "plugin": "mail",
            "action": "search",
            "params": {"limit": 10},
        },
        {
            "id": "sum_up",
            "type": "ai_processing",
            "intent": "summarize",
            "prompt": "Summarize these mails in five sentences.",
            "input": "steps.search.output.messages",
            "output_schema": {"type": "object", "properties": {"summary": {"type": "string"}}},
        },
        {
            "id": "send",
            "type": "action",
            "plugin": "mail",
            "action": "send",
            "params": {
                "to": ["ann@example.com"],
                "subject": "Your mails",
                "text": "{{steps.sum_up.output.summary}}",
            },
        },
    ],
}
