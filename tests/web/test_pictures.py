"""Pictures of workflows: branches join again at the step that follows."""

from pilot.web.pictures import picture

BRANCHES = {
    "steps": [
        {"id": "read", "type": "action", "plugin": "tables", "action": "read_range"},
        {
            "id": "any",
            "type": "conditional",
            "condition": "len(steps.read.output) > 0",
            "then": [{"id": "mail", "type": "action", "plugin": "mail", "action": "send"}],
            "else": [{"id": "none", "name": "Say none", "type": "transform", "operation": "set"}],
        },
        {"id": "end", "type": "delay", "dependencies": ["any"]},
    ]
}


def lines(document):
    return {(edge.source, edge.target) for edge in picture(document).edges}


def test_branches_leave_their_condition_and_join_at_the_next_step():
    assert lines(BRANCHES) == {
        ("read", "any"),
        ("any", "mail"),
        ("any", "none"),
        ("mail", "end"),
        ("none", "end"),
    }


def test_without_an_else_the_condition_itself_leads_on():
    steps = [dict(step) for step in BRANCHES["steps"]]
    del steps[1]["else"]
    assert ("any", "end") in lines({"steps": steps})


def test_nodes_say_what_the_steps_are():
    shown = {node.id: (node.label, node.kind) for node in picture(BRANCHES).nodes}
    assert shown["read"] == ("read", "tables.read_range")
    assert shown["none"] == ("Say none", "set")


def test_a_broken_document_still_has_a_picture():
    for broken in (None, [], {"steps": 1}, {"steps": [{"id": "a"}, 3, {"type": "delay"}]}):
        picture(broken)
