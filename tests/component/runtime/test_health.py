"""Which dependencies are silent, told in bounded time."""

import threading
import time

from postbus.domain.errors import Unavailable
from postbus.runtime.health import silent


def away() -> None:
    raise Unavailable("no")


def denied() -> None:
    raise PermissionError


def test_each_that_fails_is_named_whatever_its_failure() -> None:
    assert silent({"c": away, "a": denied, "b": lambda: None}) == ["a", "c"]


def test_one_that_hangs_is_named_and_not_waited_for() -> None:
    over = threading.Event()
    began = time.monotonic()
    try:
        assert silent({"slow": over.wait, "quick": lambda: None}, wait_seconds=0.05) == ["slow"]
        assert time.monotonic() - began < 5
    finally:
        over.set()


def test_nothing_to_ask_is_nothing_silent() -> None:
    assert silent({}) == []
