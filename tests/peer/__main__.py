"""Run the peer until its standard input ends, so that it never outlives who started it."""

import argparse
import json
import sys
import threading
from pathlib import Path

from tests.peer.server import Peer

parser = argparse.ArgumentParser(prog="python -m tests.peer")
parser.add_argument("--ledger", type=Path, required=True)
parser.add_argument("--script", type=Path)
given = parser.parse_args()
rules = json.loads(given.script.read_text())["rules"] if given.script else []
peer = Peer(given.ledger, rules)
threading.Thread(target=peer.serve_forever, args=(0.05,), daemon=True).start()
print(peer.server_port, flush=True)
sys.stdin.read()
peer.stopped.set()
peer.shutdown()
