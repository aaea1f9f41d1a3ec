"""The posting step: what the ledger answers, announced, deferred or parked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.posting import PostingInstruction
from postbus.domain.steps import Defer, Emit, Park, Step
from postbus.domain.transaction import Kind
from postbus.functions.post.handler import build
from postbus.ports import Answer, NotNow
from tests.contract.conformance import assert_conforms
from tests.fakes.approvals import NOON, approval
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes, entries_of, trial_balance

HOUR = timedelta(hours=1)


def step(books: Books, after: timedelta = timedelta()) -> Step:
    return build(InMemoryLedger(books), lambda: NOON + after, retry_hours=72)


def emitted(result: Any) -> tuple[Event, ...]:
    assert isinstance(result, Emit), result
    for event in result.events:
        assert_conforms(event)
    return result.events


def test_an_approval_is_posted_and_announced() -> None:
    books = Books()
    (event,) = emitted(step(books)([approval("A1", amount=1250)])[0])
    assert (event.type, event.transaction_id, event.occurred_at) == ("TransactionPosted", "visa-A1", NOON)
    assert event.data["amount"] == {"amount": "1250", "currency": "EUR"}
    assert event.causation_id == approval("A1").event_id
    assert trial_balance(books) == {"EUR": 0}


def test_a_second_delivery_is_announced_in_the_same_words_and_books_nothing() -> None:
    books = Books()
    first = emitted(step(books)([approval("A1")])[0])
    again = emitted(step(books, 5 * HOUR)([approval("A1")])[0])
    assert [event.to_json() for event in first] == [event.to_json() for event in again]
    assert len(entries_of(books)) == 1


def test_what_is_announced_of_a_replay_says_so() -> None:
    books = Books()
    (first,) = emitted(step(books)([approval("A1")])[0])
    (again,) = emitted(step(books)([approval("A1", replay="july")])[0])
    assert (again.replay, again.event_id) == ("july", first.event_id)
    assert first.replay is None


def test_what_is_first_decided_in_a_replay_is_news_there_and_told_again_in_any_other() -> None:
    books = Books()
    told = [
        emitted(step(books)([approval("A1", replay=name)])[0])[0] for name in ("july", "july", None, "august")
    ]
    assert [event.replay for event in told] == [None, None, None, "august"]
    assert len({event.event_id for event in told}) == 1


def test_both_outcomes_of_a_reversal_first_decided_in_a_replay_are_news() -> None:
    events = emitted(step(Books())([approval("R1", Kind.REVERSAL, reverses="A1", replay="july")])[0])
    assert [event.replay for event in events] == [None, None]


def test_a_refusal_is_an_outcome_like_any_other() -> None:
    from tests.fakes.approvals import BOB

    (event,) = emitted(step(Books())([approval("A1", Kind.TRANSFER, to=BOB)])[0])
    assert (event.type, event.data["reason"]["code"]) == ("TransactionPostingFailed", "INSUFFICIENT_FUNDS")


def test_a_reversal_before_its_original_announces_both() -> None:
    events = emitted(step(Books())([approval("R1", Kind.REVERSAL, reverses="A1")])[0])
    assert [event.transaction_id for event in events] == ["visa-R1", "visa-A1"]
    assert {event.type for event in events} == {"TransactionVoided"}


def test_each_of_a_batch_has_its_own_result() -> None:
    books = Books()
    step(books)([approval("A2")])
    results = step(books)([approval("A1"), approval("A2", content="other"), approval("A3")])
    assert [type(result) for result in results] == [Emit, Park, Emit]


def test_while_the_ledger_is_away_everything_is_deferred() -> None:
    books = Books(away=True)
    assert [type(r) for r in step(books)([approval("A1"), approval("A2")])] == [Defer, Defer]
    books.away = False
    assert all(emitted(result) for result in step(books)([approval("A1"), approval("A2")]))


@pytest.mark.parametrize(("age", "expected"), [(71 * HOUR, Defer), (72 * HOUR, Defer), (73 * HOUR, Park)])
def test_an_outage_is_outwaited_for_its_hours_and_then_the_payment_is_parked(age: Any, expected: Any) -> None:
    (result,) = step(Books(away=True), age)([approval("A1")])
    assert isinstance(result, expected)
    if isinstance(result, Park):
        assert "72 hours" in result.reason


def test_an_old_payment_is_posted_all_the_same() -> None:
    (event,) = emitted(step(Books(), 100 * HOUR)([approval("A1")])[0])
    assert event.type == "TransactionPosted"


def test_a_replay_is_not_parked_for_its_age() -> None:
    (result,) = step(Books(away=True), 1000 * HOUR)([approval("A1", replay="july")])
    assert isinstance(result, Defer)


def test_an_approval_without_its_account_is_malformed() -> None:
    event = approval("A1")
    broken = Event.first(
        event.type, event.transaction_id, "x", NOON, {"transaction": event.data["transaction"]}
    )
    with pytest.raises(Malformed, match="account"):
        step(Books())([broken])


def test_the_ledger_is_asked_once_for_the_whole_batch() -> None:
    asked: list[int] = []

    class Counting:
        def post(self, instructions: Sequence[PostingInstruction]) -> Sequence[Answer]:
            asked.append(len(instructions))
            return [NotNow("away")] * len(instructions)

    build(Counting(), lambda: NOON, 72)([approval(f"A{n}") for n in range(10)])
    assert asked == [10]


def test_a_crash_after_the_commit_loses_no_announcement() -> None:
    books = Books()
    step(books)([approval("A1")])  # its result never reached the bus
    stored = InMemoryOutcomes(books).find("visa-A1")
    assert stored is not None
    assert stored.state is OutcomeState.POSTED
    assert emitted(step(books)([approval("A1")])[0]) == (stored.announcement(),)
