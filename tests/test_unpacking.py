"""Packed answers: read whole, or refused by name; a part never looks like the whole."""

import gzip
import zlib

import pytest

from pilot.egress import Egress
from pilot.errors import ErrorClass, StepError
from tests.http_peer import serving

ROWS = b"\n".join(b"%d,row%d" % (number, number * 7919) for number in range(30_000))
BARE = zlib.compressobj(wbits=-15)
WHOLE = {
    "gzip": ("gzip", gzip.compress(ROWS)),
    "x-gzip": ("X-GZip", gzip.compress(ROWS)),
    "two members": ("gzip", gzip.compress(ROWS[:90_000]) + gzip.compress(ROWS[90_000:])),
    "many members": (
        "gzip",
        b"".join(gzip.compress(ROWS[n : n + 999]) for n in range(0, len(ROWS), 999)),
    ),
    "deflate": ("deflate", zlib.compress(ROWS)),
    "bare deflate": ("deflate", BARE.compress(ROWS) + BARE.flush()),
    "as it is": ("identity", ROWS),
}
PACKED = gzip.compress(ROWS)
BROKEN = {
    "half of it": ("gzip", PACKED[: len(PACKED) // 2], "cut short"),
    "without its sum": ("gzip", PACKED[:-8], "cut short"),
    "a byte less": ("gzip", PACKED[:-1], "cut short"),
    "one byte": ("gzip", PACKED[:1], "cut short"),
    "half a second member": ("gzip", PACKED + PACKED[:99], "cut short"),
    "something behind it": ("gzip", PACKED + b"something", "damaged"),
    "another sum": ("gzip", PACKED[:-8] + bytes(8), "damaged"),
    "half of deflate": ("deflate", zlib.compress(ROWS)[:-9], "cut short"),
}


@pytest.fixture
def ask():
    """Give `ask(encoding, body)`: the answer that a peer with it gives."""

    with serving() as peer:

        def ask(encoding, body, max_bytes=1_000_000):
            peer.packed = (encoding, body)
            where = f"127.0.0.1:{peer.server_address[1]}"
            return Egress([where]).request("GET", f"http://{where}/packed", max_bytes=max_bytes)

        yield ask


@pytest.mark.parametrize("name", WHOLE)
def test_a_packed_body_is_read_whole(ask, name):
    assert ask(*WHOLE[name]).body == ROWS


def test_an_empty_body_is_empty_whatever_it_is_said_to_be(ask):
    assert ask("gzip", b"").body == b""


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_is_not_whole_is_refused_and_told(ask, name):
    encoding, body, told = BROKEN[name]
    with pytest.raises(StepError, match=told) as refused:
        ask(encoding, body)
    assert (refused.value.error_class, refused.value.sent) == (ErrorClass.SCHEMA, True)


@pytest.mark.parametrize(
    "body", [PACKED, gzip.compress(bytes(9_000)) * 100, gzip.compress(b"") * 20_000]
)
def test_what_unpacks_to_more_than_the_limit_or_to_nothing_without_end_is_refused(ask, body):
    with pytest.raises(StepError) as refused:
        ask("gzip", body, max_bytes=99_999)
    assert refused.value.error_class is ErrorClass.OUTPUT_TOO_LARGE
