"""Processor time until the decoder has refused the largest hostile texts that it reads at all.

Baseline: the decoder of the standard library, which refuses none of them for what it is.
"""

import json
from contextlib import suppress
from time import thread_time

from benchmarks.figures import figure, percentile
from pilot import strictjson
from pilot.errors import BadJsonError

GOAL_MS = 200.0
ROUNDS = 20
TEXTS = {
    "100,001 keys": "{" + ",".join(f'"{n}":1' for n in range(100_001)) + "}",
    "a key twice at the end": "{" + ",".join(f'"{n}":1' for n in range(60_000)) + ',"59999":2}',
    "500,000 brackets": "[" * 500_000 + "]" * 500_000,
    "200,000 lists side by side": "[" + "[]," * 200_000 + "0]",
    "escapes without an end": '"' + '\\"' * 500_000,
    "a text without an end": '"' + "a" * 1_000_000,
}


def main() -> None:
    """Print the figures."""
    for name, text in TEXTS.items():
        mine = [_ms(lambda text=text: strictjson.loads(text)) for _ in range(ROUNDS)]
        bare = [_ms(lambda text=text: json.loads(text)) for _ in range(ROUNDS)]
        figure(
            f"hostile JSON, {name}, p95", percentile(mine, 95), "ms", ROUNDS,
            percentile(bare, 95), GOAL_MS,
        )  # fmt: skip


def _ms(read) -> float:
    begun = thread_time()
    with suppress(BadJsonError, ValueError, RecursionError):
        read()
    return (thread_time() - begun) * 1e3


if __name__ == "__main__":
    main()
