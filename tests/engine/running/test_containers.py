"""Steps within steps, on a real worker: what they see, what they leave, how they fail and go on."""

import pytest

from tests.engine.worker_process import broken, put, run


@pytest.mark.capability(29, 40)
def test_a_step_inside_is_still_read_after_a_wait(worker, database, world):
    steps = [
        {"id": "way", "type": "conditional", "condition": "true", "then": [put("inner", 7)]},
        {"id": "pause", "type": "delay", "for_s": 1.2, "dependencies": ["way"]},
        put("after", "{{steps.inner.output}}", dependencies=["pause"]),
    ]
    _, found = run(database, world.operator, steps, output="{{steps.after.output}}")
    assert found == ("completed", 7, None)


@pytest.mark.capability(45)
@pytest.mark.parametrize("on_error", ["continue", {"branch": [put("mended", 3)]}])
def test_a_container_answers_for_what_fails_inside_it(worker, database, world, on_error):
    steps = [
        {
            "id": "way",
            "type": "conditional",
            "condition": "true",
            "then": [broken("inner"), put("never", 1, dependencies=["inner"])],
            "on_error": on_error,
        },
        put("after", 5, dependencies=["way"]),
    ]
    _, found = run(database, world.operator, steps, output="{{steps.after.output}}")
    ends = "completed_with_errors" if on_error == "continue" else "completed"
    assert found == (ends, 5, None)
