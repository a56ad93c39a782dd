"""Calls that are made at the same instant."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pilot.errors import PilotError


def at_once(*calls):
    """Call all at the same instant and return what each gave or raised."""
    ready = Barrier(len(calls))

    def call(one):
        ready.wait()
        try:
            return one()
        except PilotError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))
