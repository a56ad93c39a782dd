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


def put(name, *needs):
    return {"id": name, "type": "delay", "dependencies": list(needs)}


def test_of_too_many_steps_those_around_the_chosen_one_are_drawn():
    chain = [put("s0"), *(put(f"s{n}", f"s{n - 1}") for n in range(1, 300))]
    shown = picture({"steps": chain}, "s150")
    assert [node.id for node in shown.nodes] == ["s148", "s149", "s150", "s151", "s152"]
    assert len(shown.edges) == 4
    assert shown.note.startswith("5 of 300 steps")
    for chosen in ("", "no_such_step"):
        shown = picture({"steps": chain}, chosen)
        assert (shown.nodes, "choose a step" in shown.note) == ((), True)
    assert len(picture({"steps": chain[:200]}, "s150").nodes) == 200


def test_too_many_steps_inside_others_are_folded_into_them():
    inside = [put(f"in{n}") for n in range(300)]
    loop = {"id": "each", "type": "loop", "steps": inside, "dependencies": ["begin"]}
    shown = picture({"steps": [put("begin"), loop, put("end", "each")]})
    assert [node.id for node in shown.nodes] == ["begin", "each", "end"]
    assert [(one.source, one.target) for one in shown.edges] == [("begin", "each"), ("each", "end")]
    assert shown.note.startswith("3 of 303 steps")
