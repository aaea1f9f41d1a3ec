"""Whatever the posting system does, a payment is booked once and its outcome tells the truth."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postbus.domain.errors import Unavailable
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.transaction import Kind
from postbus.ports import Answer, Impossible, NotNow, Settled
from tests.component.http_ledger.bench import Bench, purchase, reversal
from tests.contract.conformance import assert_conforms
from tests.fakes.approvals import ALICE, BOB, NOON, instruction
from tests.fakes.ledger import InMemoryLedger
from tests.servers.misbehaving_ledger import NOT_BOOKED, PASSING, Way

pytestmark = pytest.mark.component

# Three exchanges at their deadline, and something for a loaded machine.
LONGEST_SECONDS = 4.0


def settled(answer: Answer) -> Outcome:
    """The outcome the answer is about; all of them as the catalogue promises them."""
    assert isinstance(answer, Settled), answer
    for outcome in answer.outcomes:
        assert_conforms(outcome.announcement())
    return answer.outcomes[0]


# What is booked


def test_an_approved_payment_is_booked_and_its_outcome_carries_the_ledgers_own_words(bench: Bench) -> None:
    outcome = settled(bench.post(purchase("1"))[0])
    assert (outcome.state, outcome.event_type) == (OutcomeState.POSTED, "TransactionPosted")
    assert outcome.data == {
        "source": "visa",
        "kind": "purchase",
        "amount": {"amount": "1230", "currency": "EUR"},
        "billing": {"amount": "1230", "currency": "EUR"},
        "posting_id": "P000001",
        "ledger": "http",
        "entries": [
            {"account": ALICE.account_id, "direction": "debit", "amount": "1230", "currency": "EUR"},
            {"account": "clearing-EUR", "direction": "credit", "amount": "1230", "currency": "EUR"},
        ],
        "content_hash": purchase().transaction.content_hash,
    }
    assert bench.outcomes.history == [("visa-1", OutcomeState.SENDING), ("visa-1", OutcomeState.POSTED)]


def test_a_refund_credits_and_a_transfer_reaches_its_counterparty(bench: Bench) -> None:
    refund = instruction("2", Kind.REFUND)
    transfer = instruction("3", Kind.TRANSFER, to=BOB)
    bench.post(refund, transfer)
    books = bench.system.books.postings
    assert books["visa-2"]["entries"][0]["direction"] == "credit"
    assert [entry["account"] for entry in books["visa-3"]["entries"]] == [ALICE.account_id, BOB.account_id]


def test_a_return_is_asked_for_as_any_reversal_is(bench: Bench) -> None:
    bench.post(instruction("3", Kind.TRANSFER, to=BOB))
    bench.post(reversal("3", 1000, to=BOB))
    (returned,) = [one for one in bench.system.books.postings.values() if "reverses" in one]
    assert "counterparty" not in returned


def test_a_converted_payment_is_booked_with_both_amounts(bench: Bench) -> None:
    bench.post(instruction("1", amount=Money(1500, "USD"), billing=Money(1230, "EUR")))
    posting = bench.system.books.postings["visa-1"]
    assert posting["amount"] == {"amount": "1500", "currency": "USD"}
    assert posting["entries"][0]["amount"] == "1230"


def test_what_is_posted_already_is_announced_again_without_a_call(bench: Bench) -> None:
    first = settled(bench.post(purchase())[0])
    asked = len(bench.system.requests)
    assert settled(bench.post(purchase())[0]) == first
    assert len(bench.system.requests) == asked


def test_the_same_payment_twice_in_a_batch_is_booked_once(bench: Bench) -> None:
    first, second = bench.post(purchase(), purchase())
    assert settled(first) == settled(second)
    assert bench.system.asked("POST") == 1


@pytest.mark.parametrize("state", [OutcomeState.HELD, OutcomeState.VOIDED])
def test_what_is_held_or_voided_is_not_sent(bench: Bench, state: OutcomeState) -> None:
    asked = purchase()
    event_type = {"HELD": "TransactionHeld", "VOIDED": "TransactionVoided"}[state]
    stored = Outcome.of(
        asked.cause, state, event_type, asked.transaction.content_hash, NOON, {"transaction": {}}
    )
    bench.outcomes.decide(stored)
    assert bench.post(asked)[0] == Settled((stored,))
    assert bench.system.requests == []


def test_a_released_payment_is_booked(bench: Bench) -> None:
    asked = purchase()
    for state in (OutcomeState.HELD, OutcomeState.RELEASED):
        bench.outcomes.decide(
            Outcome.of(
                asked.cause, state, "TransactionPostingApproved", asked.transaction.content_hash, NOON, {}
            )
        )
    assert settled(bench.post(asked)[0]).state is OutcomeState.POSTED


def test_other_content_under_a_known_id_is_never_sent(bench: Bench) -> None:
    bench.post(purchase())
    answer = bench.post(purchase(amount=99))[0]
    assert isinstance(answer, Impossible)
    assert bench.system.asked("POST") == 1


@pytest.mark.parametrize("kind", [Kind.PURCHASE, Kind.REVERSAL])
def test_a_conflict_that_was_approved_all_the_same_is_never_sent(bench: Bench, kind: Kind) -> None:
    bench.post(purchase("1"))
    approved = reversal("1") if kind is Kind.REVERSAL else purchase("2")
    cause = replace(approved.cause, data={**approved.cause.data, "conflict_with": "visa-1"})
    answer = bench.post(replace(approved, cause=cause))[0]
    assert isinstance(answer, Impossible)
    assert "visa-1" in answer.reason
    assert bench.system.asked("POST") == 1


# Definite answers


def test_a_refusal_is_final_and_quotes_the_ledgers_code(bench: Bench) -> None:
    bench.system.books.closed_accounts.add(ALICE.account_id)
    outcome = settled(bench.post(purchase())[0])
    assert (outcome.state, outcome.event_type) == (OutcomeState.VOIDED, "TransactionPostingFailed")
    assert outcome.data["reason"] == {
        "code": "REFUSED_BY_LEDGER",
        "text": "the posting system refused it: ACCOUNT_CLOSED",
    }
    bench.system.books.closed_accounts.clear()
    assert settled(bench.post(purchase())[0]) == outcome
    assert bench.system.books.postings == {}


def test_a_refusal_remembered_by_the_ledger_survives_a_crash_before_the_outcome(bench: Bench) -> None:
    bench.system.books.closed_accounts.add(ALICE.account_id)
    bench.outcomes.crash_before = OutcomeState.VOIDED
    with pytest.raises(ConnectionAbortedError):
        bench.post(purchase())
    bench.system.books.closed_accounts.clear()
    assert settled(bench.post(purchase())[0]).state is OutcomeState.VOIDED
    assert bench.system.books.postings == {}


@pytest.mark.parametrize(
    "way",
    [
        Way.CONFLICT,
        Way.ANOTHER_AMOUNT,
        Way.ANOTHER_KEY,
        Way.UNBALANCED,
        Way.ANOTHER_ACCOUNT,
        Way.NOT_UNDERSTOOD,
    ],
)
def test_an_answer_that_contradicts_the_question_is_our_bug_and_decides_nothing(
    bench: Bench, way: Way
) -> None:
    bench.system.post_ways(way)
    assert isinstance(bench.post(purchase())[0], Impossible)
    assert bench.outcomes.state_of("visa-1") is OutcomeState.SENDING


def test_a_contradiction_found_by_asking_is_our_bug_too(bench: Bench) -> None:
    bench.system.post_ways(Way.DROP_AFTER_BOOKING)
    bench.system.get_ways(Way.ANOTHER_AMOUNT)
    assert isinstance(bench.post(purchase())[0], Impossible)


def test_a_poisonous_payment_does_not_hold_back_its_neighbours(bench: Bench) -> None:
    bench.system.post_ways(Way.GOOD, Way.CONFLICT)
    answers = bench.post(purchase("1"), purchase("2"), purchase("3"))
    assert [type(answer) for answer in answers] == [Settled, Impossible, Settled]


def test_a_payment_whose_fate_stays_unknown_does_not_hold_back_its_neighbours(bench: Bench) -> None:
    bench.system.post_ways(Way.ERROR_BEFORE_BOOKING, Way.ERROR_BEFORE_BOOKING)
    answers = bench.post(purchase("1"), purchase("2"))
    assert [type(answer) for answer in answers] == [NotNow, Settled]


# Away


def test_while_nobody_listens_nothing_is_sending_and_the_rest_of_the_batch_is_not_tried(bench: Bench) -> None:
    bench.system.__exit__()
    answers = bench.post(*(purchase(str(number)) for number in range(10)))
    assert [type(answer) for answer in answers] == [NotNow] * 10
    assert bench.outcomes.history == []


@pytest.mark.parametrize(
    "way", [Way.FORBIDDEN, Way.NO_SUCH_PATH, Way.REDIRECT, Way.TOO_MANY, Way.OVERLOADED, Way.UNAUTHORIZED]
)
def test_after_the_first_turning_away_the_rest_of_the_batch_is_not_tried(bench: Bench, way: Way) -> None:
    bench.system.usually("POST", way)
    answers = bench.post(*(purchase(str(number)) for number in range(10)))
    assert [type(answer) for answer in answers] == [NotNow] * 10
    assert {key for _, key, _ in bench.system.requests} == {"visa-0"}
    assert bench.outcomes.state_of("visa-0") is OutcomeState.SENDING


def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.system.post_ways(Way.REDIRECT)
    bench.post(purchase())
    assert bench.system.asked("POST") == 1


@pytest.mark.parametrize("way", [Way.TOO_MANY, Way.OVERLOADED])
def test_a_pause_that_was_asked_for_is_kept(bench: Bench, way: Way) -> None:
    bench.system.retry_after = "40"
    bench.system.post_ways(way)
    ledger = bench.ledger()
    assert isinstance(ledger.post([purchase()])[0], NotNow)
    bench.clock.now += timedelta(seconds=39)
    assert isinstance(ledger.post([purchase()])[0], NotNow)
    assert len(bench.system.requests) == 1
    bench.clock.now += timedelta(seconds=2)
    assert settled(ledger.post([purchase()])[0]).state is OutcomeState.POSTED


@pytest.mark.parametrize(
    ("retry_after", "pause_seconds"),
    [("0", 0), ("-5", 0), ("soon", 0), ("999999999", 900), ("Sat, 14 Mar 2026 12:00:30 GMT", 30)],
)
def test_a_pause_is_never_longer_than_a_quarter_of_an_hour(
    bench: Bench, retry_after: str, pause_seconds: int
) -> None:
    bench.system.retry_after = retry_after
    bench.system.post_ways(Way.TOO_MANY)
    ledger = bench.ledger()
    ledger.post([purchase()])
    bench.clock.now = NOON + timedelta(seconds=pause_seconds - 1)
    if pause_seconds:
        assert isinstance(ledger.post([purchase()])[0], NotNow)
    bench.clock.now = NOON + timedelta(seconds=pause_seconds + 1)
    assert isinstance(ledger.post([purchase()])[0], Settled)


def test_a_slow_posting_system_leaves_the_function_time_to_report(bench: Bench) -> None:
    ticks = iter(range(0, 1000, 5))
    ledger = bench.ledger()
    ledger._monotonic = lambda: float(next(ticks))
    answers = ledger.post([purchase("1"), purchase("2"), purchase("3")])
    assert [type(answer) for answer in answers] == [Settled, NotNow, NotNow]


# Nobody knows


UNKNOWN = sorted(
    PASSING - NOT_BOOKED - {Way.GOOD, Way.CREATED_AGAIN}
    | {Way.DROP_BEFORE_READING, Way.ERROR_BEFORE_BOOKING, Way.LOGIN_PAGE, Way.REFUSED_BY_PROXY}
)


def test_there_are_ways_to_misbehave() -> None:
    assert len(UNKNOWN) >= 14


@pytest.mark.parametrize("way", UNKNOWN)
def test_where_the_outcome_is_unknown_it_asks_before_it_posts_again(bench: Bench, way: Way) -> None:
    bench.system.post_ways(way)
    began = time.monotonic()
    outcome = settled(bench.post(purchase())[0])
    assert time.monotonic() - began < LONGEST_SECONDS
    assert outcome.state is OutcomeState.POSTED
    assert bench.system.books.times_booked == {"visa-1": 1}
    methods = [method for method, _, _ in bench.system.requests]
    assert methods == (["POST", "GET", "POST"] if way in NOT_BOOKED else ["POST", "GET"])


@pytest.mark.parametrize(
    "way", sorted(PASSING - {Way.GOOD, Way.CREATED_AGAIN, Way.UNAUTHORIZED, Way.NO_SUCH_PATH})
)
def test_a_question_without_an_answer_decides_nothing_and_is_asked_again_on_redelivery(
    bench: Bench, way: Way
) -> None:
    bench.system.post_ways(Way.DROP_AFTER_BOOKING)
    bench.system.get_ways(way)
    began = time.monotonic()
    assert isinstance(bench.post(purchase())[0], NotNow)
    assert time.monotonic() - began < LONGEST_SECONDS
    assert bench.outcomes.state_of("visa-1") is OutcomeState.SENDING
    assert settled(bench.post(purchase())[0]).state is OutcomeState.POSTED
    assert [method for method, _, _ in bench.system.requests] == ["POST", "GET", "GET"]


def test_a_posting_system_that_does_not_answer_questions_is_away(bench: Bench) -> None:
    bench.system.post_ways(Way.DROP_AFTER_BOOKING)
    bench.system.get_ways(Way.SILENT)
    assert [type(answer) for answer in bench.post(purchase("1"), purchase("2"))] == [NotNow, NotNow]
    assert {key for _, key, _ in bench.system.requests} == {"visa-1"}


@pytest.mark.parametrize("booked", [True, False])
def test_what_was_left_sending_is_asked_about_first(bench: Bench, booked: bool) -> None:
    bench.outcomes.crash_before = OutcomeState.POSTED
    if not booked:
        bench.system.post_ways(Way.FORBIDDEN)
        bench.post(purchase())
    else:
        with pytest.raises(ConnectionAbortedError):
            bench.post(purchase())
    bench.outcomes.crash_before = None
    bench.system.requests.clear()
    assert settled(bench.post(purchase())[0]).state is OutcomeState.POSTED
    assert bench.system.requests[0][0] == "GET"
    assert bench.system.books.times_booked == {"visa-1": 1}


def test_what_is_left_sending_is_announced_as_its_purchase(bench: Bench) -> None:
    bench.system.post_ways(Way.FORBIDDEN)
    asked = purchase()
    bench.post(asked)
    left = next(bench.outcomes.in_state(OutcomeState.SENDING)).announcement()
    assert (left.type, left.event_id, left.data) == (
        asked.cause.type,
        asked.cause.event_id,
        asked.cause.data,
    )


def test_two_workers_with_the_same_payment_book_it_once(bench: Bench) -> None:
    """The second finds SENDING while the first one's call is still under way."""
    bench.outcomes.crash_before = OutcomeState.POSTED
    with pytest.raises(ConnectionAbortedError):
        bench.post(purchase())
    second = settled(bench.post(purchase())[0])
    first = settled(bench.post(purchase())[0])
    assert first == second
    assert bench.system.books.times_booked == {"visa-1": 1}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    posts=st.lists(st.sampled_from(sorted(PASSING)), max_size=4),
    gets=st.lists(st.sampled_from(sorted(PASSING)), max_size=4),
    crashes=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_any_misbehaviour_followed_by_good_behaviour_books_exactly_once(
    make_bench: Callable[[], Bench], posts: list[Way], gets: list[Way], crashes: list[bool]
) -> None:
    bench = make_bench()
    bench.system.retry_after = "0"
    bench.system.post_ways(*posts)
    bench.system.get_ways(*gets)
    answer: Answer | None = None
    for delivery in range(10):
        if crashes[delivery]:
            bench.outcomes.crash_before = OutcomeState.POSTED
        try:
            answer = bench.post(purchase())[0]
        except ConnectionAbortedError:
            continue
        finally:
            bench.outcomes.crash_before = None
        if isinstance(answer, Settled):
            break
        assert isinstance(answer, NotNow), answer
        assert bench.outcomes.state_of("visa-1") in (None, OutcomeState.SENDING)
    bench.system.behave()
    assert settled(bench.post(purchase())[0]).state is OutcomeState.POSTED
    assert bench.system.books.times_booked == {"visa-1": 1}


# Reversals


def test_a_reversal_names_the_original_and_moves_the_money_back(bench: Bench) -> None:
    bench.post(purchase("1"))
    outcome = settled(bench.post(reversal("1"))[0])
    assert outcome.data["original_transaction_id"] == "visa-1"
    posting = bench.system.books.postings["visa-back-1"]
    assert posting["reverses"] == "visa-1"
    assert posting["entries"][0] == {
        "account": ALICE.account_id,
        "direction": "credit",
        "amount": "1230",
        "currency": "EUR",
    }


def test_a_part_is_held_and_reversals_never_exceed_their_original(bench: Bench) -> None:
    bench.post(purchase("1"))
    parts = reversal("1", 1000, partial=True, auth="r-1"), reversal("1", 231, partial=True, auth="r-2")
    for answer in bench.post(*parts):
        held = settled(answer)
        assert held.data["findings"][0]["code"] == "FURTHER_REVERSAL"
        bench.outcomes.decide(replace(held, state=OutcomeState.RELEASED))
    answers = bench.post(*parts)
    assert [settled(answer).state for answer in answers] == [OutcomeState.POSTED, OutcomeState.VOIDED]


@pytest.mark.parametrize("stored", [None, OutcomeState.HELD, OutcomeState.RELEASED])
def test_a_reversal_of_what_is_not_posted_voids_it_without_a_call(
    bench: Bench, stored: OutcomeState | None
) -> None:
    original = purchase("1")
    for state in {None: (), OutcomeState.HELD: ("HELD",), OutcomeState.RELEASED: ("HELD", "RELEASED")}[
        stored
    ]:
        bench.outcomes.decide(
            Outcome.of(original.cause, OutcomeState(state), "TransactionHeld", "", NOON, {})
        )
    (answer,) = bench.post(reversal("1"))
    assert isinstance(answer, Settled)
    own, voided = answer.outcomes
    assert (own.transaction_id, own.data["reason"]["code"]) == ("visa-back-1", "ORIGINAL_VOIDED")
    assert (voided.transaction_id, voided.data["reason"]["code"]) == ("visa-1", "REVERSED_BEFORE_POSTING")
    assert settled(bench.post(original)[0]) == voided
    assert bench.post(reversal("1"))[0] == answer, "both are announced again, as often as asked"
    assert bench.system.requests == []


@pytest.mark.parametrize("first", ["original", "reversal"])
def test_a_reversal_and_its_original_in_one_batch_meet_in_either_order(bench: Bench, first: str) -> None:
    batch = [purchase("1"), reversal("1")]
    answers = bench.post(*(batch if first == "original" else reversed(batch)))
    assert [settled(answer).state for answer in answers] == [OutcomeState.POSTED] * 2


def test_a_reversal_waits_for_an_original_whose_fate_is_unknown(bench: Bench) -> None:
    bench.system.post_ways(Way.DROP_AFTER_BOOKING)
    bench.system.get_ways(Way.ERROR_BEFORE_BOOKING)
    bench.post(purchase("1"))
    assert isinstance(bench.post(reversal("1"))[0], NotNow)
    answers = bench.post(purchase("1"), reversal("1"))
    assert [settled(answer).state for answer in answers] == [OutcomeState.POSTED] * 2


def test_a_reversal_overtaken_by_the_sending_of_its_original_reverses_it_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, elsewhere = bench.outcomes.decide, bench.ledger()

    def overtaken(wanted: Outcome) -> Outcome:
        monkeypatch.undo()
        elsewhere.post([purchase("1")])
        return decide(wanted)

    monkeypatch.setattr(bench.outcomes, "decide", overtaken)
    assert isinstance(bench.post(reversal("1"))[0], NotNow)
    assert bench.outcomes.state_of("visa-back-1") is None
    assert settled(bench.post(reversal("1"))[0]).state is OutcomeState.POSTED


def test_a_part_of_what_is_not_posted_yet_is_reversed_once_it_is(bench: Bench) -> None:
    part = reversal("1", 30, partial=True)
    held = settled(bench.post(part)[0])
    assert held.state is OutcomeState.HELD
    bench.post(purchase("1"))
    bench.outcomes.decide(replace(held, state=OutcomeState.RELEASED))
    assert settled(bench.post(part)[0]).state is OutcomeState.POSTED


def test_a_reversal_cannot_be_reversed(bench: Bench) -> None:
    bench.post(purchase("1"), reversal("1"))
    outcome = settled(bench.post(reversal("back-1"))[0])
    assert outcome.data["reason"]["code"] == "REVERSAL_OF_REVERSAL"
    assert bench.system.asked("POST") == 2


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"amount": 1231}, "REVERSAL_EXCEEDS_ORIGINAL"),
        ({"amount": 1231, "partial": True}, "REVERSAL_EXCEEDS_ORIGINAL"),
        ({"amount": 30}, "REVERSAL_MISMATCH"),
        ({"of_account": BOB}, "REVERSAL_MISMATCH"),
        ({"amount": Money(1230, "USD")}, "REVERSAL_MISMATCH"),
    ],
    ids=["more", "more-in-part", "less", "account", "currency"],
)
def test_a_reversal_that_does_not_fit_is_refused_before_the_posting_system_is_asked(
    bench: Bench, wrong: dict[str, Any], code: str
) -> None:
    bench.post(purchase("1"))
    amount, of = wrong.get("amount", 1230), wrong.get("of_account", ALICE)
    asked = instruction("r", Kind.REVERSAL, amount, reverses="1", of=of, partial=wrong.get("partial", False))
    assert settled(bench.post(asked)[0]).data["reason"]["code"] == code
    assert bench.system.asked("POST") == 1


def test_a_wrong_reversal_before_its_original_leaves_that_alone(bench: Bench) -> None:
    assert settled(bench.post(reversal("1", 30, auth="r-1"))[0]).state is OutcomeState.VOIDED
    assert settled(bench.post(purchase("1"))[0]).state is OutcomeState.POSTED
    assert settled(bench.post(reversal("1", auth="r-2"))[0]).state is OutcomeState.POSTED


def test_a_reversal_of_a_reversal_that_has_not_come_does_not_keep_that_from_its_work(bench: Bench) -> None:
    bench.post(purchase("1"))
    bench.post(reversal("back-1", auth="again"))
    assert settled(bench.post(reversal("1"))[0]).state is OutcomeState.POSTED


def test_what_one_ledger_booked_the_other_does_not_reverse(bench: Bench) -> None:
    bench.post(purchase("1"))
    own = InMemoryLedger(bench.outcomes.books)
    assert isinstance(own.post([reversal("1")])[0], NotNow)
    own.post([purchase("2")])
    assert isinstance(bench.post(reversal("2"))[0], NotNow)
    assert bench.system.asked("POST") == 1


# Credentials


def test_a_token_that_was_changed_is_read_again_once(bench: Bench) -> None:
    bench.system.tokens = {"token-2"}
    bench.credentials.next_token = "token-2"
    assert settled(bench.post(purchase())[0]).state is OutcomeState.POSTED
    assert bench.system.seen_authorizations == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_stays_wrong_is_tried_twice_and_no_more(bench: Bench) -> None:
    bench.system.tokens = {"another"}
    assert isinstance(bench.post(purchase(), purchase("2"))[0], NotNow)
    assert len(bench.system.requests) == 2


def test_without_credentials_nothing_is_sending(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> str:
        raise Unavailable("Secrets Manager did not answer")

    monkeypatch.setattr(bench.credentials, "authorization", closed)
    assert isinstance(bench.post(purchase())[0], NotNow)
    assert bench.outcomes.history == []


# The connection


def test_a_batch_shares_one_connection(bench: Bench) -> None:
    bench.post(*(purchase(str(number)) for number in range(10)))
    assert len(bench.system.connections) == 1


def test_a_connection_the_posting_system_closed_is_made_anew_before_anything_is_sent(bench: Bench) -> None:
    ledger = bench.ledger()
    ledger.post([purchase("1")])
    bench.system.hang_up()
    time.sleep(0.05)  # for the end of the connection to arrive
    assert settled(ledger.post([purchase("2")])[0]).state is OutcomeState.POSTED
    assert [method for method, _, _ in bench.system.requests] == ["POST", "POST"]
    assert len(bench.system.connections) == 2


def test_a_connection_is_not_used_after_an_answer_that_was_not_read_whole(bench: Bench) -> None:
    bench.system.post_ways(Way.TRUNCATED_BODY)
    assert settled(bench.post(purchase())[0]).state is OutcomeState.POSTED
    assert len(bench.system.connections) == 2
