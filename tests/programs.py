"""Tests that need a program this machine may not have: skipped with the reason, never in CI."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

# The first that is there is used. The headless shell is the same Chromium without the parts that
# nobody sees here; it takes a third less processor time for the same tests.
NEEDS = {
    "browser": (("chromium-headless-shell", "chromium"), "apt-get install chromium-headless-shell"),
    "imap": (("dovecot",), "apt-get install dovecot-imapd"),
    "node": (("node",), "apt-get install nodejs"),
}
REQUIRED_IN_CI = {"browser", "imap"}
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

settings.register_profile("default", deadline=None)
settings.register_profile(
    "nightly", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def find(mark: str) -> str | None:
    """Return the path of the program that tests of a mark need, also where only root finds it."""
    programs, _ = NEEDS[mark]
    return next(filter(None, (shutil.which(one, path=PLACES) for one in programs)), None)


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
    for mark, (programs, remedy) in NEEDS.items():
        if item.get_closest_marker(mark) and not find(mark):
            in_ci = os.environ.get("CI") == "true" and mark in REQUIRED_IN_CI
            (pytest.fail if in_ci else pytest.skip)(f"{programs[-1]} is missing: {remedy}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Give the path of the browser; the test is marked `browser`."""
    return find("browser") or ""


@pytest.fixture(scope="session")
def dovecot() -> str:
    """Give the path of the IMAP server; the test is marked `imap`."""
    return find("imap") or ""
