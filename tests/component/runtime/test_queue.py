"""Every message of a batch goes where it belongs, whatever its neighbours do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit, Park, Result
from postbus.runtime.queue import Surprises, deferral_seconds, process

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class FakeBus:
    refuse: set[str] = field(default_factory=set)
    choke_on: set[str] = field(default_factory=set)
    away: bool = False
    published: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        if self.away:
            raise Unavailable("event bus did not answer")
        if any(event.transaction_id in self.choke_on for event in events):
            raise RuntimeError("entry too large")
        self.published += [event for event in events if event.transaction_id not in self.refuse]
        return {event.event_id: "InternalFailure" for event in events if event.transaction_id in self.refuse}


@dataclass
class FakeQueue:
    parked: dict[str, str] = field(default_factory=dict)
    deferred: dict[str, int] = field(default_factory=dict)
    away: bool = False
    deferrals: int = 0
    refuse_deferrals: Exception | None = None
    choke_on: str = ""

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        if self.away:
            raise Unavailable("dead-letter queue did not answer")
        if message["messageId"] == self.choke_on:
            raise RuntimeError("InvalidMessageContents")
        self.parked[message["messageId"]] = reason

    def defer(self, seconds: Mapping[str, int]) -> None:
        self.deferrals += 1
        if self.refuse_deferrals:
            raise self.refuse_deferrals
        self.deferred.update(seconds)


def record(number: int, tries: int = 1) -> dict[str, Any]:
    event = Event.first("TransactionAuthorized", f"visa-{number}", "record:1", NOON, {})
    body = {"detail-type": event.type, "detail": event.to_detail()}
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(tries)},
    }


def announce(events: Sequence[Event]) -> list[Result]:
    return [Emit((event.then("TransactionEnriched", NOON, {}),)) for event in events]


def failed(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.mark.parametrize("error", [Malformed("amount", "digits"), InvariantBroken("two hashes")])
def test_one_poison_message_does_not_hold_back_its_neighbours(error: Exception) -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        if any(event.transaction_id == "visa-4" for event in events):
            raise error
        return announce(events)

    bus, queue = FakeBus(), FakeQueue()
    assert failed(process([record(n) for n in range(10)], step, bus, queue)) == []
    assert list(queue.parked) == ["m4"]
    assert str(error) in queue.parked["m4"]
    assert {event.transaction_id for event in bus.published} == {f"visa-{n}" for n in range(10) if n != 4}


@pytest.mark.parametrize("body", ["not json", "[]", "{}", '{"detail-type": "X", "detail": {}}'])
def test_a_message_that_is_no_event_is_parked_whole(body: str) -> None:
    bus, queue = FakeBus(), FakeQueue()
    records = [record(0), {**record(1), "body": body}]
    assert failed(process(records, announce, bus, queue)) == []
    assert list(queue.parked) == ["m1"]
    assert len(bus.published) == 1


def test_an_entry_the_bus_refused_fails_its_own_message_only() -> None:
    bus, queue = FakeBus(refuse={"visa-2"}), FakeQueue()
    assert failed(process([record(n) for n in range(4)], announce, bus, queue)) == ["m2"]
    assert len(bus.published) == 3


def test_an_entry_the_bus_chokes_on_fails_its_own_message_only() -> None:
    bus, queue = FakeBus(choke_on={"visa-2"}), FakeQueue()
    assert failed(process([record(n) for n in range(4)], announce, bus, queue)) == ["m2"]
    assert len(bus.published) == 3


def test_a_culprit_among_a_thousand_is_found_by_halving() -> None:
    calls = 0

    def step(events: Sequence[Event]) -> Sequence[Result]:
        nonlocal calls
        calls += 1
        if any(event.transaction_id == "visa-700" for event in events):
            raise KeyError("surprise")
        return [Emit(()) for _ in events]

    records = [record(n) for n in range(1000)]
    assert failed(process(records, step, FakeBus(), FakeQueue())) == ["m700"]
    assert calls <= 21


def test_an_entry_the_bus_chokes_on_among_a_thousand_is_found_by_halving() -> None:
    class CountingBus(FakeBus):
        calls = 0

        def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
            self.calls += 1
            return super().publish(events)

    bus = CountingBus(choke_on={"visa-700"})
    assert failed(process([record(n) for n in range(1000)], announce, bus, FakeQueue())) == ["m700"]
    assert len(bus.published) == 999
    assert bus.calls <= 21


def test_what_a_batch_defers_is_deferred_together() -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        return [Defer("busy") if n % 2 else Emit(()) for n, _ in enumerate(events)]

    queue = FakeQueue()
    assert failed(process([record(n) for n in range(6)], step, FakeBus(), queue)) == ["m1", "m3", "m5"]
    assert set(queue.deferred) == {"r1", "r3", "r5"}
    assert queue.deferrals == 1


def test_when_the_bus_is_away_every_message_comes_back() -> None:
    queue = FakeQueue()
    assert failed(process([record(0), record(1)], announce, FakeBus(away=True), queue)) == ["m0", "m1"]
    assert set(queue.deferred) == {"r0", "r1"}


@pytest.mark.parametrize("error", [Unavailable("store away"), OutcomeUnknown("no answer")])
def test_a_dependency_that_does_not_answer_is_never_given_up(error: Exception) -> None:
    def step(_events: Sequence[Event]) -> Sequence[Result]:
        raise error

    queue = FakeQueue()
    assert failed(process([record(0, tries=900)], step, FakeBus(), queue)) == ["m0"]
    assert queue.parked == {}
    assert 450 <= queue.deferred["r0"] <= 900


def surprised(_events: Sequence[Event]) -> Sequence[Result]:
    raise KeyError("surprise")


def test_an_error_nobody_foresaw_is_tried_again_and_parked_in_the_end() -> None:
    queue, surprises = FakeQueue(), Surprises()
    for tries in range(1, 5):
        answer = process([record(0, tries)], surprised, FakeBus(), queue, surprises=surprises)
        assert (failed(answer), queue.parked) == (["m0"], {})
    assert failed(process([record(0, 5)], surprised, FakeBus(), queue, surprises=surprises)) == []
    assert queue.parked == {"m0": "KeyError after 5 tries"}


def test_what_was_deferred_through_an_outage_is_not_parked_at_its_first_surprise() -> None:
    queue = FakeQueue()
    answer = process([record(0, tries=400)], surprised, FakeBus(), queue, surprises=Surprises())
    assert (failed(answer), queue.parked) == (["m0"], {})


def test_of_more_messages_than_are_remembered_the_oldest_are_forgotten() -> None:
    surprises = Surprises()
    for number in range(10_001):
        surprises.meet(f"m{number}")
    assert (surprises.meet("m10000"), surprises.meet("m0")) == (2, 1)


def test_what_cannot_be_parked_is_not_forgotten() -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        return [Park("poison") for _ in events]

    assert failed(process([record(0)], step, FakeBus(), FakeQueue(away=True))) == ["m0"]


def test_what_the_dead_letter_queue_chokes_on_stays_and_its_neighbours_are_done() -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        return [*announce(events[:1]), Park("poison"), Park("poison")]

    queue = FakeQueue(choke_on="m1")
    assert failed(process([record(n) for n in range(3)], step, FakeBus(), queue)) == ["m1"]
    assert list(queue.parked) == ["m2"]


@pytest.mark.parametrize("error", [Unavailable("queue away"), RuntimeError("AccessDenied")])
def test_a_deferral_that_fails_brings_back_what_was_to_wait_and_nothing_else(error: Exception) -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        return [*announce(events[:1]), Park("poison"), Defer("ledger away")]

    bus, queue = FakeBus(), FakeQueue(refuse_deferrals=error)
    assert failed(process([record(n) for n in range(3)], step, bus, queue)) == ["m2"]
    assert [event.transaction_id for event in bus.published] == ["visa-0"]
    assert list(queue.parked) == ["m1"]


def test_a_deferred_message_waits_and_its_neighbour_goes_on() -> None:
    def step(events: Sequence[Event]) -> Sequence[Result]:
        return [*announce(events[:1]), Defer("ledger away")]

    queue = FakeQueue()
    assert failed(process([record(0), record(1)], step, FakeBus(), queue)) == ["m1"]
    assert list(queue.deferred) == ["r1"]


def test_deferral_grows_and_stays_within_a_quarter_of_an_hour() -> None:
    waits = [deferral_seconds(count, 0.999) for count in (1, 2, 3, 8, 12, 10_000)]
    assert waits == sorted(waits)
    assert waits[0] <= 2
    assert waits[-1] <= 900
    assert min(deferral_seconds(count, 0.0) for count in (1, 50)) >= 1
