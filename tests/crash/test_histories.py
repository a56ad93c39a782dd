"""The random histories of tests/model/ against real processes."""

import pytest
from hypothesis import settings

pytestmark = pytest.mark.crash
NIGHTLY = settings.get_current_profile_name() == "nightly"
TRIALS, HISTORIES = (40, 5) if NIGHTLY else (4, 1)


@pytest.mark.capability(29, 30, 31, 32)
def test_however_processes_die_each_execution_ends_as_the_reference_says(laboratory):
    laboratory([{"kind": "histories", "seed": n, "histories": HISTORIES} for n in range(TRIALS)])
