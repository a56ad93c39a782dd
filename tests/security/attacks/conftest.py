"""One database, world and application for all attacks of a file: none may harm the next."""

import pytest

from pilot import db
from pilot.config import Config
from pilot.web import create_app, limits
from tests.api.conftest import program  # noqa: F401 -- a fixture
from tests.pages import KEY
from tests.world import people


@pytest.fixture(scope="module")
def database(servers):
    """Give the URL of a migrated database of this file."""
    with servers.database() as url:
        engine = db.configure(url)
        yield url
        engine.dispose()


@pytest.fixture(scope="module")
def world(database):
    """Admin, operator, approver, viewer and a stranger."""
    return people()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Give the settings of this file's application."""
    folder = tmp_path_factory.mktemp("data")
    return Config.from_env({"PILOT_SECRET_KEYS": KEY, "PILOT_DATA": str(folder)})


@pytest.fixture(scope="module")
def app(world, config):
    """Give the application, which does not tire of us: the limit has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "WRITES", "100000 per minute")
        yield create_app(config)
