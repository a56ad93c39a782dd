"""Large outputs: a blob by hash in the commit of their result, a digest everywhere else."""

import hashlib
import os
import resource
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from pilot import db, strictjson
from pilot.audit import Actor
from pilot.engine import digests
from pilot.engine.acting import blobs
from pilot.engine.approvals import approvals
from pilot.errors import ErrorClass, StepError
from tests.engine import worker_process as wp

INPUTS = {"type": "object", "properties": {"text": {"type": "string"}}}
PIECE = "x" * 100_000


def giving(name, pieces, of="{{inputs.text}}", **fields):
    """Return a step whose output has so many pieces of 100 KB."""
    value = {"name": name, "rows": [of] * pieces}
    return {
        "id": name,
        "type": "transform",
        "operation": "set",
        "config": {"value": value},
    } | fields


def counting(name, of):
    step = {"id": name, "type": "transform", "operation": "set"}
    return step | {"config": {"value": f"{{{{len(steps.{of}.output.rows)}}}} rows"}}


def whole(name, pieces):
    return strictjson.dumps({"name": name, "rows": [PIECE] * pieces}).encode()


@pytest.fixture
def worker(database, redis_url, world, tmp_path):
    wp.switch_on()
    with wp.working(wp.config(database, redis_url, tmp_path)) as resident:
        yield resident


def name(content):
    return hashlib.sha256(content).hexdigest()


def stored_names(superuser):
    return superuser.execute("SELECT encode(sha256, 'hex') FROM blob").fetchall()


def stored(superuser):
    return dict(superuser.execute("SELECT encode(sha256, 'hex'), content FROM blob").fetchall())


def go_on(owner):
    """Approve what waits."""
    with db.reading(owner) as session:
        asked = session.execute(text("SELECT id, payload_hash FROM approval")).one()
    by = Actor(f"user:{owner}")
    approvals.decide(asked[0], "approved", seen_hash=asked[1], by=by, user_id=owner)


@pytest.mark.capability(310)
def test_a_large_output_is_stored_once_and_read_again_after_a_wait(
    worker, database, world, superuser
):
    owner = world.operator.id
    asks = {"title": "Go on?", "approvers": ["owner"], "self_approval": True}
    document = [
        giving("one", 6),
        {"id": "same", "type": "transform", "operation": "set"}
        | {"config": {"value": "{{steps.one.output}}"}},
        {"id": "ask", "type": "human_approval", "dependencies": ["same"]} | asks,
        counting("after", "one") | {"dependencies": ["ask"]},
    ]
    result = {"said": "{{steps.after.output}}", "whole": "{{steps.same.output}}"}
    agent = wp.make_agent(owner, document, inputs=INPUTS, output=result)
    execution = wp.start(agent, owner, text=PIECE)
    assert wp.wait_for(database, execution, {"waiting", "failed"})[0] == "waiting"
    assert stored(superuser) == {name(whole("one", 6)): whole("one", 6)}
    digests = {path: digest for path, _, _, digest in wp.attempts(database, execution)}
    assert digests["one"] == digests["same"]
    assert digests["one"]["blob"] == name(whole("one", 6))
    assert digests["one"]["keys"] == ["name", "rows"]
    assert digests["one"]["first"] == {"name": "one", "rows": [PIECE[:100] + "..."] * 3}

    go_on(owner)  # a claim anew: what was stored is read again
    status, digest, error, _ = wp.wait_for(database, execution)
    assert (status, error, digest["size_bytes"]) == ("completed", None, 600_067)
    assert wp.attempts(database, execution)[-1][3] == "6 rows"
    made = strictjson.loads(stored(superuser)[digest["blob"]])
    assert made == {"said": "6 rows", "whole": strictjson.loads(whole("one", 6))}


@pytest.mark.capability(310)
def test_the_output_of_one_step_is_its_blob_and_not_a_copy(worker, database, world, superuser):
    owner = world.operator.id
    agent = wp.make_agent(owner, [giving("one", 3)], inputs=INPUTS)
    execution = wp.start(agent, owner, text=PIECE)
    assert wp.wait_for(database, execution)[:2] == (
        "completed",
        wp.attempts(database, execution)[0][3],
    )
    assert list(stored(superuser)) == [name(whole("one", 3))]


@pytest.mark.capability(310)
def test_branches_and_recovered_failures_hand_on_large_outputs(worker, database, world):
    owner = world.operator.id
    bad = {"id": "bad", "type": "transform", "operation": "set"}
    bad |= {"config": {"value": "{{steps.check.output.value.rows.missing}}"}}
    mended = {"branch": [giving("mend", 4)]}
    document = [
        {"id": "check", "type": "conditional", "condition": "true", "then": [giving("one", 3)]},
        bad | {"on_error": mended},
    ]
    result = "{{len(steps.check.output.value.rows)}} and {{len(steps.bad.output.rows)}}"
    agent = wp.make_agent(owner, document, inputs=INPUTS, output=result)
    execution = wp.start(agent, owner, text=PIECE)
    assert wp.wait_for(database, execution)[:2] == ("completed", "3 and 4")


@pytest.mark.capability(310)
def test_beyond_the_limit_a_step_fails_by_name(worker, database, world, superuser, monkeypatch):
    monkeypatch.setattr(digests, "MAX_BYTES", 1024 * 1024)
    owner = world.operator.id
    rule = {"continue": {"output": "{{len(steps.fits.output.rows)}}"}}
    document = [
        giving("fits", 10),
        giving("large", 11, on_error=rule, dependencies=["fits"]),
        giving("larger", 12, dependencies=["large"]),
    ]
    execution = wp.start(wp.make_agent(owner, document, inputs=INPUTS), owner, text=PIECE)
    status, output, error, _ = wp.wait_for(database, execution)
    assert (status, output, error["class"]) == ("failed", None, "output_too_large")
    assert error["step"] == "larger"
    assert error["message"] == (
        "The output has 1.1 MB; 1 MB is the limit. Select fewer rows or fields."
    )
    assert len(stored(superuser)) == 1


@pytest.mark.capability(310)
def test_outputs_that_are_too_large_together_fail_the_execution(
    worker, database, world, monkeypatch
):
    monkeypatch.setattr(digests, "MAX_BYTES", 1024 * 1024)
    owner = world.operator.id
    document = [giving("one", 6), giving("two", 6)]
    execution = wp.start(wp.make_agent(owner, document, inputs=INPUTS), owner, text=PIECE)
    status, output, error, _ = wp.wait_for(database, execution)
    assert (status, output, error["class"]) == ("failed", None, "output_too_large")


def test_the_limit_is_fifty_megabytes():
    text = "x" * (digests.MAX_BYTES - 2)
    packed = blobs.pack(text)
    assert len(packed.content) == digests.MAX_BYTES == 50 * 1024 * 1024
    assert len(packed.text) < 1_000
    with pytest.raises(StepError, match="50 MB is the limit") as refused:
        blobs.pack(text + "x")
    assert refused.value.error_class is ErrorClass.OUTPUT_TOO_LARGE
    assert blobs.pack("x" * (256 * 1024 - 2)).sha256 is None
    assert blobs.pack("x" * (256 * 1024 - 1)).sha256 is not None
    assert blobs.pack("\U0001f600" * 65_536).sha256 is not None  # bytes, not characters


@pytest.mark.capability(310)
def test_twenty_large_outputs_take_the_memory_of_one(worker, database, world, superuser):
    owner, size_mb = world.operator.id, int(os.environ.get("LARGE_OUTPUT_MB", "5"))
    names = [f"s{number}" for number in range(20)]
    document = [
        giving(one, size_mb * 10, of=f"{one} {{{{inputs.text}}}}", dependencies=names[:number][-1:])
        for number, one in enumerate(names)
    ]
    document.append(counting("last", "s0") | {"dependencies": names})
    agent = wp.make_agent(owner, document, inputs=INPUTS, output="{{steps.last.output}}")
    before = most = rss_mb()
    execution = wp.start(agent, owner, text=PIECE)
    while (status := wp.row(database, execution)[0]) not in wp.END:
        for _ in range(50):
            most = max(most, rss_mb())
            time.sleep(0.005)
    print(f"{20 * size_mb} MB of outputs: {before:.0f} MB before, {most:.0f} MB at most")
    assert (status, wp.row(database, execution)[1]) == ("completed", f"{size_mb * 10} rows")
    assert len(stored_names(superuser)) == 20
    assert most - before < 10 * size_mb


def rss_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024 / 1024
