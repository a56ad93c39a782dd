"""Large outputs on pages and over the API: a digest, and the whole as a file."""

import pytest

from pilot import strictjson
from pilot.engine.agents import sharing
from tests.engine import worker_process as wp

ROWS = ["<b>" + "x" * 99_997] * 15
STEP = {
    "id": "read",
    "type": "transform",
    "operation": "set",
    "config": {"value": ["{{inputs.text}}"] * len(ROWS)},
}
INPUTS = {"type": "object", "properties": {"text": {"type": "string"}}}


@pytest.fixture
def agent(world):
    wp.switch_on()
    return wp.make_agent(world.operator.id, [STEP], inputs=INPUTS)


@pytest.fixture
def execution(database, redis_url, config, world, agent):
    """Give an execution of the operator that gave 1.5 MB."""
    with wp.working(wp.config(database, redis_url, config.data)):
        found = wp.start(agent, world.operator.id, text=ROWS[0])
        assert wp.wait_for(database, found)[0] == "completed"
    return found


@pytest.mark.capability(310)
def test_pages_show_a_digest_and_files_are_whole(execution, agent, browse, world):
    url, operator = f"/executions/{execution}", browse(world.operator)
    for page, link in (
        ("?step=read", f"{url}/outputs/read?attempt=1"),
        ("?tab=data", f"{url}/output"),
    ):
        text = operator.get(url + page).text.split("Start of the output")[0]
        assert "The output has 1.4 MiB" in text
        assert f'href="{link}"' in text
        answer = operator.get(link)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="output.json"'
        assert answer.headers["Content-Length"] == str(len(answer.data))
        assert strictjson.loads(answer.data, max_bytes=2_000_000) == ROWS
    for twin in (".json", "/events"):
        assert len(operator.get(url + twin).data) < 200_000
    told = operator.get(f"{url}.json").json
    assert told["output"]["length"] == len(ROWS)
    assert told["output"]["blob"] == told["steps"][0]["attempts"][0]["blob"]

    for path in ("outputs/absent", "outputs/read?attempt=2"):
        assert operator.get(f"{url}/{path}").status_code == 404
    reader = browse(world.viewer)
    assert reader.get(f"{url}/outputs/read").status_code == 404
    owner = world.operator
    sharing.share(agent, world.viewer.email, "read", by=owner.actor, user_id=owner.id)
    assert len(reader.get(f"{url}/outputs/read").data) > 1_500_000
    assert browse(world.stranger).get(f"{url}/output").status_code == 404
