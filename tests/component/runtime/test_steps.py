"""A step's queue: a transaction's messages in order, nothing lost between steps, nothing sent for ever."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import Next, Step, StepCall, StepName, StepResult, Took
from postbus.domain.steps import Defer, Park
from postbus.runtime.queue import Surprises
from postbus.runtime.steps import process_steps
from tests.fakes.iso20022 import InMemoryMessages, InMemorySteps
from tests.fakes.messages import NOON, begun, entry, transaction_id

ONE, TWO = transaction_id(1), transaction_id(2)


@dataclass
class FakeQueue:
    parked: dict[str, str] = field(default_factory=dict)
    deferred: dict[str, int] = field(default_factory=dict)
    away: bool = False

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        if self.away:
            raise Unavailable("dead-letter queue did not answer")
        self.parked[message["messageId"]] = reason

    def defer(self, seconds: Mapping[str, int]) -> None:
        self.deferred.update(seconds)


def record(transaction: str, number: int = 0, tries: int = 1, **body: Any) -> dict[str, Any]:
    data = {"transaction_id": transaction, "step": "receive", "attempt": 1, **body}
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": json.dumps(data),
        "attributes": {"ApproximateReceiveCount": str(tries), "MessageGroupId": transaction},
    }


@dataclass
class World:
    """A store with two transactions at ACCP whose ``receive`` was sent, and the queues around it."""

    store: InMemoryMessages = field(default_factory=InMemoryMessages)
    steps: InMemorySteps = field(default_factory=InMemorySteps)
    queue: FakeQueue = field(default_factory=FakeQueue)
    called: list[str] = field(default_factory=list)
    surprises: Surprises = field(default_factory=Surprises)

    def __post_init__(self) -> None:
        for number in (1, 2):
            self.store.step_sent(begun(self.store, number), StepName.RECEIVE, NOON)

    def run(self, step: Step, *records: dict[str, Any]) -> list[str]:
        def noted(call: StepCall) -> StepResult:
            self.called.append(call.transaction_id)
            return step(call)

        answer = process_steps(
            records,
            StepName.RECEIVE,
            noted,
            self.store,
            self.steps,
            self.queue,
            lambda: NOON,
            surprises=self.surprises,
        )
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def receive(self, call: StepCall) -> StepResult:
        """ACCP -> ACTC, and on to ``process``; again, while it is still ACTC, the same answer."""
        head = self.store.head(call.transaction_id)
        assert head
        if head.status is Status.ACCP:
            head = self.store.append(head, entry(Status.ACTC))
        return Next(StepName.PROCESS) if head.status is Status.ACTC else Took()


def raising(error: Exception) -> Step:
    def step(_call: StepCall) -> StepResult:
        raise error

    return step


def test_a_step_is_recorded_as_taken_and_the_next_one_is_sent() -> None:
    world = World()
    assert world.run(world.receive, record(ONE)) == []
    head = world.store.heads[ONE]
    assert head.steps[StepName.RECEIVE].taken_at == NOON
    assert world.steps.sent == [(ONE, StepName.PROCESS, 1)]


def test_a_repeat_sends_the_next_step_again_until_it_is_taken() -> None:
    world = World()
    world.steps.away = True
    assert world.run(world.receive, record(ONE)) == ["m0"]
    world.steps.away = False
    world.run(world.receive, record(ONE, tries=2))
    world.run(world.receive, record(ONE, tries=3))
    assert world.steps.asked == 2
    assert world.steps.sent == [(ONE, StepName.PROCESS, 1)]
    world.store.step_taken(ONE, StepName.PROCESS, 1, NOON)
    world.run(world.receive, record(ONE, tries=4))
    assert world.steps.asked == 2


def test_after_a_groups_first_failure_the_rest_of_it_goes_back_untouched() -> None:
    world = World()

    def step(call: StepCall) -> StepResult:
        return Defer("store away") if call.transaction_id == ONE else Took()

    failed = world.run(step, record(ONE, 0), record(TWO, 1), record(ONE, 2), record(TWO, 3))
    assert failed == ["m0", "m2"]
    assert world.called == [ONE, TWO, TWO]
    assert set(world.queue.deferred) == {"r0", "r2"}


def test_behind_an_unforeseen_error_the_rest_waits_as_long_as_it_does() -> None:
    world = World()
    assert world.run(raising(KeyError("surprise")), record(ONE, 0), record(ONE, 1, tries=99)) == ["m0", "m1"]
    assert world.called == [ONE]
    assert (world.queue.deferred, world.queue.parked) == ({}, {})


def test_an_unforeseen_error_is_parked_after_its_last_try() -> None:
    world = World()
    # As the deferrals of an outage count there too, the queue's own count says nothing.
    for _ in range(4):
        assert world.run(raising(KeyError("surprise")), record(ONE, tries=400)) == ["m0"]
    assert world.run(raising(KeyError("surprise")), record(ONE, tries=401)) == []
    assert world.queue.parked == {"m0": "KeyError after 5 tries"}


@pytest.mark.parametrize("error", [Unavailable("store away"), OutcomeUnknown("no answer")])
def test_a_dependency_that_does_not_answer_is_never_given_up(error: Exception) -> None:
    world = World()
    assert world.run(raising(error), record(ONE, tries=900)) == ["m0"]
    assert 450 <= world.queue.deferred["r0"] <= 900


@pytest.mark.parametrize("error", [Malformed("body", "XML"), InvariantBroken("no head")])
def test_what_can_never_succeed_is_parked_and_its_transaction_says_why(error: Exception) -> None:
    world = World()
    assert world.run(raising(error), record(ONE, 0), record(TWO, 1)) == []
    assert set(world.queue.parked) == {"m0", "m1"}
    parked = world.store.heads[ONE].steps[StepName.RECEIVE].parked
    assert parked
    assert type(error).__name__ in parked


def test_a_step_may_ask_to_be_parked() -> None:
    world = World()
    assert world.run(lambda _call: Park("no schema"), record(ONE)) == []
    assert world.queue.parked == {"m0": "no schema"}


@pytest.mark.parametrize(
    "body", [{"step": "unknown"}, {"attempt": 0}, {"transaction_id": ""}, {"step": "process"}]
)
def test_a_message_that_is_no_call_of_this_step_is_parked(body: dict[str, Any]) -> None:
    world = World()
    assert world.run(world.receive, record(ONE, **body)) == []
    assert list(world.queue.parked) == ["m0"]
    assert world.called == []


def test_what_cannot_be_parked_comes_back() -> None:
    world = World()
    world.queue.away = True
    assert world.run(raising(Malformed("body", "XML")), record(ONE)) == ["m0"]


@pytest.mark.parametrize("error", [Unavailable("store away"), RuntimeError("ValidationException")])
def test_what_cannot_be_recorded_as_parked_stays_and_the_other_transaction_is_done(error: Exception) -> None:
    class Refusing(InMemoryMessages):
        def step_parked(self, *_asked: Any) -> None:
            raise error

    world = World(store=Refusing())

    def step(call: StepCall) -> StepResult:
        if call.transaction_id == TWO:
            raise Malformed("body", "XML")
        return Took()

    assert world.run(step, record(ONE, 1), record(TWO, 2)) == ["m2"]
    assert world.queue.parked == {}


def test_when_the_store_is_away_nothing_is_run_and_everything_comes_back() -> None:
    world = World()
    world.store.away = True
    assert world.run(world.receive, record(ONE, 0), record(TWO, 1)) == ["m0", "m1"]
    assert world.called == []


def test_a_redriven_step_is_a_new_attempt_and_taken_again() -> None:
    world = World()
    world.run(raising(Malformed("body", "XML")), record(ONE))
    attempt = world.store.step_sent(world.store.heads[ONE], StepName.RECEIVE, NOON, again=True)
    assert attempt == 2
    assert world.run(world.receive, record(ONE, 1, attempt=2)) == []
    assert world.steps.sent == [(ONE, StepName.PROCESS, 1)]


class Killed(BaseException):
    """The function is gone: nothing after this line ran."""


@given(st.lists(st.sampled_from(["before", "after append", "after record", "no"]), max_size=6))
def test_a_crash_between_any_two_writes_is_recovered_by_the_repeat(crashes: list[str]) -> None:
    world = World()
    for number, crash in enumerate([*crashes, "no"], 1):
        steps = world.steps
        if crash == "after record":
            world.steps = _Killing()

        def step(call: StepCall, crash: str = crash) -> StepResult:
            if crash == "before":
                raise Killed
            result = world.receive(call)
            if crash == "after append":
                raise Killed
            return result

        try:
            world.run(step, record(ONE, tries=number))
        except Killed:
            assert crash != "no"
        world.steps = steps
    assert world.steps.sent == [(ONE, StepName.PROCESS, 1)]
    assert [one.status for one in world.store.history(ONE)] == [Status.ACCP, Status.ACTC]


class _Killing(InMemorySteps):
    def send(self, transaction_id: str, step: StepName, attempt: int) -> None:
        raise Killed


def test_a_late_repeat_of_an_overtaken_step_sends_nothing() -> None:
    world = World()
    world.run(world.receive, record(ONE))
    world.store.step_taken(ONE, StepName.PROCESS, 1, NOON + timedelta(seconds=1))
    world.store.append(world.store.heads[ONE], entry(Status.ACSP))
    world.run(world.receive, record(ONE, tries=2))
    assert world.steps.asked == 1
