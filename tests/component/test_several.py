"""Calls made at the same time: answers in order, and nothing goes on after an error."""

import threading

import pytest

from postbus.adapters.several import KeptThreads


def test_kept_threads_answer_in_order_and_serve_the_next_batch_too() -> None:
    threads = KeptThreads()
    seen: set[int] = set()

    def double(number: int) -> int:
        seen.add(threading.get_ident())
        return 2 * number

    for _ in range(5):
        assert threads.each(double, range(20)) == [2 * number for number in range(20)]
    assert len(seen) <= 8


def test_a_call_that_raises_ends_when_those_in_work_have_and_the_rest_is_not_made() -> None:
    threads = KeptThreads()
    ended: list[int] = []

    def slow_or_raises(number: int) -> None:
        if number == 0:
            raise ValueError("away")
        threading.Event().wait(0.05)
        ended.append(number)

    with pytest.raises(ValueError, match="away"):
        threads.each(slow_or_raises, range(100))
    after = list(ended)
    threading.Event().wait(0.2)
    assert ended == after
    assert len(ended) < 50
    assert threads.each(abs, [-1, -2]) == [1, 2]
