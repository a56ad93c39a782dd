"""The peer for tests: started once, its script replaced by each test."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pilot.llm.messages import Model, Price
from tests.patience import LONG_S
from tests.peer.answers import PRICES

ROOT = Path(__file__).parents[2]
KEY = "sk-peer-0123456789abcdef"
PATHS = {"openai": "/v1", "anthropic": ""}


class PeerProcess:
    """A running peer."""

    def __init__(self, ledger: Path, *more: str) -> None:
        self._ledger = ledger
        self._seen = 0
        command = [sys.executable, "-m", "tests.peer", "--ledger", str(ledger), *more]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, **pipes)
        self.port = int(self._process.stdout.readline())

    def script(self, *rules: dict) -> None:
        """Answer by these rules from now on; forget what was asked before."""
        self._post("/control/script", {"rules": list(rules)})
        self._seen = len(self._lines())

    def requests(self) -> list[dict]:
        """Return the lines of the ledger since the last script."""
        return [json.loads(line) for line in self._lines()[self._seen :]]

    def bodies(self) -> list[dict]:
        """Return what was sent since the last script."""
        return self._get("/control/bodies")

    def bill(self) -> Decimal:
        """Return what the peer charges for all since the last script."""
        return sum((Decimal(one["cost"]) for one in self.requests()), Decimal(0))

    def model(self, form: str, name: str = "cheap", **fields) -> Model:
        """Return a model that this peer serves, at the peer's prices."""
        known = [Decimal(price) for price in PRICES.get(name, PRICES["cheap"])]
        price = Price(known[0], known[4], *known[1:4])
        given = {"price": price, "connection": self.connection(form)} | fields
        return Model(name, form, name, **given)

    def connection(self, form: str, **changed: str) -> dict[str, str]:
        """Return what a request to this peer needs."""
        where = f"127.0.0.1:{self.port}"
        found = {"key": KEY, "base_url": f"http://{where}{PATHS[form]}", "allow": where}
        return found | changed

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=LONG_S)

    def _lines(self) -> list[str]:
        return self._ledger.read_text().splitlines()

    def _get(self, path: str):
        with urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return json.load(answer)

    def _post(self, path: str, value) -> None:
        url, data = f"http://127.0.0.1:{self.port}{path}", json.dumps(value).encode()
        with urlopen(Request(url, data, method="POST")) as answer:
            assert answer.status == 200


def key_hash(key: str) -> str:
    """Return how the ledger tells keys apart."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


@pytest.fixture(scope="session")
def peer_process(tmp_path_factory) -> Iterator[PeerProcess]:
    """Run one peer for all tests of this session."""
    running = PeerProcess(tmp_path_factory.mktemp("peer") / "ledger.jsonl")
    yield running
    running.close()


@pytest.fixture
def peer(peer_process) -> PeerProcess:
    """Give the peer, its script empty: it answers `{"answer": "ok"}`."""
    peer_process.script()
    return peer_process
