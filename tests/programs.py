"""Tests that need a program this machine may not have: skipped with the reason, never in CI."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

NEEDS = {
    "browser": ("chromium", "apt-get install chromium"),
    "imap": ("dovecot", "apt-get install dovecot-imapd"),
    "node": ("node", "apt-get install nodejs"),
}
REQUIRED_IN_CI = {"browser", "imap"}
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

settings.register_profile("default", deadline=None)
settings.register_profile(
    "nightly", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def find(program: str) -> str | None:
    """Return the path of a program, also where only root's PATH would find it."""
    return shutil.which(program, path=PLACES)


def pytest_addoption(parser):
    parser.addoption(
        "--no-servers", action="store_true", help="leave out the tests that need PostgreSQL"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--no-servers"):
        left_out = {item for item in items if "servers" in getattr(item, "fixturenames", ())}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item):
    for mark, (program, remedy) in NEEDS.items():
        if item.get_closest_marker(mark) and not find(program):
            in_ci = os.environ.get("CI") == "true" and mark in REQUIRED_IN_CI
            (pytest.fail if in_ci else pytest.skip)(f"{program} is missing: {remedy}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Give the path of the browser; the test is marked `browser`."""
    return find("chromium") or ""


@pytest.fixture(scope="session")
def dovecot() -> str:
    """Give the path of the IMAP server; the test is marked `imap`."""
    return find("dovecot") or ""
