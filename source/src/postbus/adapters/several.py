"""Calls that wait for an answer, several at the same time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

_AT_ONCE = 8


def each(function: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
    """``map``, over as many threads as are worth starting for so many calls; the answers in order."""
    every = list(over)
    if len(every) < 2:
        return [function(one) for one in every]
    with ThreadPoolExecutor(min(len(every), _AT_ONCE)) as pool:
        return list(pool.map(function, every))


class KeptThreads:
    """Threads for whoever calls with every batch, kept from one to the next.

    What is called may not call by way of the same threads: it would wait for itself.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE)

    def each(self, function: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
        """As ``each``; if a call raises, those not begun are not made, and those in work have ended."""
        every = list(over)
        if len(every) < 2:
            return [function(one) for one in every]
        calls = [self._pool.submit(function, one) for one in every]
        try:
            return [call.result() for call in calls]
        finally:
            for call in calls:
                call.cancel()
            wait(calls)
