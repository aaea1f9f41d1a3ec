"""Calls that wait for an answer, several at the same time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

_AT_ONCE = 8


@contextmanager
def several(number: int) -> Iterator[Callable[..., Any]]:
    """``map``, over as many threads as are worth starting for so many calls."""
    if number < 2:
        yield map
        return
    with ThreadPoolExecutor(min(number, _AT_ONCE)) as pool:
        yield pool.map


def each(function: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
    """``map``, several at the same time; the answers in order."""
    every = list(over)
    with several(len(every)) as at_once:
        return list(at_once(function, every))
