"""Generated requests: every answer is one that the description tells of, and none is a fault."""

from collections import Counter
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from pilot.engine.generation import drafts
from pilot.reports import results
from pilot.web import limits
from tests.engine import worker_process as wp

CASES = {"default": 2_000, "nightly": 50_000}
RANDOM = 100  # at least, of each part
PARTS = 4  # of the operations, so that test processes share them
MODES = list(GenerationMode)
STEP = {"id": "one", "type": "transform", "operation": "set", "config": {"value": 1}}
REFUSED = [400, 404, 405, 412, 415, 422, 428]
CONFIG = {
    "generation": {"with-security-parameters": False},  # other tests are about tokens
    "checks": {"negative_data_rejection": {"expected-statuses": REFUSED}},
}
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


class Api:
    """The API as its description tells it, called in this process with an administrator's token."""

    def __init__(self, app, headers, rows):
        load_all_checks()
        config = schemathesis.Config.from_dict(CONFIG)
        self.schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)
        self.headers, self.rows = headers, rows
        self.checks = [CHECKS.get_one(name) for name in CHECKED]
        self.answers = Counter()

    def operations(self, part):
        return [one.ok() for one in self.schema.get_all_operations()][part::PARTS]

    def own_ids(self, operation):
        """Return ids of rows that exist for the operation's path."""
        names = [one.name for one in operation.path_parameters]
        return {name: self.rows[name] for name in names if name in self.rows}

    def edges(self, operation):
        """Yield requests at and just beyond every limit of an operation; of rows that exist."""
        generation = operation.schema.config.generation_for(operation=operation)
        for case in self.schema.iter_coverage_cases(
            operation=operation, generation_modes=MODES, generation_config=generation
        ):
            if all(map(is_id, case.path_parameters.values())):
                case.path_parameters.update(self.own_ids(operation))
            yield case

    def any_requests(self, operation):
        """Return strategies for requests, right and wrong ones, of rows that exist or not."""
        for mode in MODES:
            for ids in ({}, self.own_ids(operation)):
                yield operation.as_strategy(mode, path_parameters=ids)

    def send(self, case):
        answer = case.call(headers=self.headers)
        self.answers[answer.status_code // 100] += 1
        case.validate_response(answer, checks=self.checks, headers=self.headers)


def is_id(value):
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


@pytest.fixture
def unlimited(monkeypatch):
    """Let an application, made after this, take any number of requests; nothing waits."""
    monkeypatch.setattr(limits, "REQUESTS", "1000000 per minute")
    awaited = results.awaited
    monkeypatch.setattr(results, "awaited", lambda reading, one, _wait: awaited(reading, one, 0))


@pytest.fixture
def app(unlimited, own_app):
    """Give an application without that limit."""
    return own_app


@pytest.fixture
def api(app, config, program, world):
    """Give the API with some rows."""
    wp.switch_on()
    agent = wp.make_agent(world.admin.id, [STEP])
    who = {"by": world.admin.actor, "user_id": world.admin.id}
    rows = {
        "agent_id": str(agent),
        "execution_id": str(wp.start(agent, world.admin.id)),
        "generation_id": str(drafts.begin("Mail me the news", data=config.data, **who)),
    }
    return Api(app, program(world.admin).headers, rows)


@pytest.mark.long
@pytest.mark.capability(229)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_answered_is_described_and_never_a_fault(api, part):
    operations = api.operations(part)
    for operation in operations:
        for case in api.edges(operation):
            api.send(case)
    profile = settings.get_current_profile_name()
    left = CASES[profile] // PARTS - api.answers.total()

    @settings(
        max_examples=max(left, RANDOM),
        derandomize=profile == "default",  # each night looks elsewhere
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of([each for one in operations for each in api.any_requests(one)]))
    def answered(case):
        api.send(case)

    answered()
    assert api.answers.total() >= CASES["default"] // PARTS
    assert api.answers[5] == 0
    assert api.answers[2] > RANDOM // 4  # not only refusals
