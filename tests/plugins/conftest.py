"""What an action gets to act with, in a folder of its own."""

import time
from zoneinfo import ZoneInfo

import pytest
import structlog

from pilot import plugins
from pilot.egress import Egress
from pilot.plugins import Call

OWNER = "admin@localhost"


@pytest.fixture
def make_call(tmp_path):
    """Make a call with this key; `allow` opens addresses of the egress client."""

    def make(key="key-1", *, allow=(), seconds=20, credentials=None):
        return Call(
            key=key,
            deadline=time.monotonic() + seconds,
            zone=ZoneInfo("Europe/Berlin"),
            folder=tmp_path,
            owner_email=OWNER,
            http=Egress(allow),
            log=structlog.get_logger(),
            credentials=credentials,
        )

    return make


@pytest.fixture
def act(make_call):
    """Perform an action by its full name and return the output."""

    def perform(name, params, key="key-1", **kwargs):
        plugin, _, action = name.partition(".")
        return plugins.perform(
            plugins.load(plugin).actions[action], params, make_call(key, **kwargs)
        )

    return perform
