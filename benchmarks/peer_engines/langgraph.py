"""LangGraph in one process: PostgresSaver writes each step's checkpoint before the next step.

`python -m benchmarks.peer_engines.langgraph PORT DATABASE` answers the benchmark at PORT.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import add
from time import perf_counter, sleep
from typing import Annotated, TypedDict
from uuid import uuid4

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from benchmarks.peer_engines.answering import answer

CONNECTION = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
MOST_THREADS = 100  # of executions that wait
WORKING_THREADS = 4  # on two cores more of them, or fewer, do less in a second


def main() -> None:
    """Answer the benchmark."""
    port, database = sys.argv[1:]
    with ConnectionPool(database, max_size=MOST_THREADS, kwargs=CONNECTION) as pool:
        PostgresSaver(pool).setup()

        def at_once(executions: int, steps: int, rows: list) -> float:
            threads = min(executions, WORKING_THREADS)
            return timed(pool, chain(steps, limit), executions, threads, {"s0": rows})

        def one(steps: int, rows: list) -> float:
            return at_once(1, steps, rows)

        def waits(executions: int, steps: int, seconds: float) -> float:
            graph = chain(steps, lambda _: sleep(seconds))
            return timed(pool, graph, executions, executions, {"s0": None})

        def items(items: list) -> float:
            return timed(pool, scatter(), 1, 1, {"items": items})

        answer(int(port), {"at_once": at_once, "one": one, "waits": waits, "items": items})


def limit(rows: list) -> list:
    """Return the output of a step: 1 KB of input, 1 KB of output."""
    return rows[:100]


def chain(steps: int, work: Callable[[object], object]) -> StateGraph:
    """Return a graph whose step n makes `s<n>` of the output before; each has its own channel."""
    graph = StateGraph(TypedDict("State", {f"s{n}": object for n in range(steps + 1)}))
    graph.add_sequence(
        [
            (f"step {n + 1}", lambda state, n=n: {f"s{n + 1}": work(state[f"s{n}"])})
            for n in range(steps)
        ]
    )
    graph.add_edge(START, "step 1")
    graph.add_edge(f"step {steps}", END)
    return graph


def scatter() -> StateGraph:
    """Return a graph that sends each item to a step of its own and gathers what they give."""
    state = TypedDict("State", {"items": list, "outputs": Annotated[list, add]})
    graph = StateGraph(state)
    graph.add_node("plan", lambda _: {})
    graph.add_node("same", lambda item: {"outputs": [item]})
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda state: [Send("same", item) for item in state["items"]], ["same"]
    )
    graph.add_edge("same", END)
    return graph


def timed(
    pool: ConnectionPool, graph: StateGraph, executions: int, threads: int, state: dict
) -> float:
    """Return the seconds of so many executions, spread over threads.

    A saver writes one checkpoint at a time, so each thread has its own: with one for all, LangGraph
    does a fifth less.
    """
    compiled = [graph.compile(checkpointer=PostgresSaver(pool)) for _ in range(threads)]

    def share(first: int) -> None:
        for _ in range(first, executions, threads):
            configured = {"configurable": {"thread_id": uuid4().hex}}
            compiled[first].invoke(state, configured, durability="sync")

    with ThreadPoolExecutor(threads) as running:
        begun = perf_counter()
        list(running.map(share, range(threads)))
        return perf_counter() - begun


if __name__ == "__main__":
    main()
