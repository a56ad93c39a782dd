"""Which tests run in one process, and which first, when several processes share them."""

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

ONE_LABORATORY = "tests/crash/"
LONG = ("crash", "long", "browser")


class SideBySide(LoadFileScheduling):
    """A file's tests share what is costly to start, and so do all those of the laboratory."""

    def _split_scope(self, nodeid: str) -> str:
        return ONE_LABORATORY if nodeid.startswith(ONE_LABORATORY) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config, log):
    """Replace `--dist loadfile`."""
    return SideBySide(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items) -> None:
    """Begin with what takes long, so that all processes end at about the same time."""
    items.sort(key=_rank)


def _rank(item) -> int:
    if item.nodeid.startswith(ONE_LABORATORY):
        return 0
    return 1 if any(map(item.get_closest_marker, LONG)) else 2
