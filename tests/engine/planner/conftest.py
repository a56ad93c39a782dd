"""The demo data, and a planner that reads goals over it."""

from datetime import date

import pytest

from pilot.engine.demo import make_demo
from pilot.engine.language import catalogue
from pilot.engine.planner import plan
from pilot.plugins.tables.sampling import sample
from tests.engine.planner import running

OWNER = "owner@example.com"
TODAY = date(2026, 11, 21)


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder, TODAY, OWNER)
    return folder


@pytest.fixture(scope="session")
def known(demo_folder):
    """Give the catalogue with samples of the demo tables."""
    return catalogue.load().with_samples(sample(demo_folder))


@pytest.fixture
def draft(known):
    """Plan a goal over the demo tables."""

    def made(goal, answers=None, *, over=known, owner=OWNER):
        return plan(goal, over, answers=answers or {}, zone="Europe/Berlin", owner_email=owner)

    return made


@pytest.fixture
def rows_of(draft, known, tmp_path):
    """Draft a goal, run it over fresh demo data, return the outputs of its steps."""

    def made(goal, answers=None, *, inputs=None):
        make_demo(tmp_path, TODAY, OWNER)
        found = draft(goal, answers)
        assert found.document, [one.text for one in found.questions] or found.refusal
        return running.run(found.document, known, tmp_path, today=TODAY, owner=OWNER, inputs=inputs)

    return made
