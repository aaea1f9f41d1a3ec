"""What the ledger promises, of the one in memory and of the one on DynamoDB alike."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account
from postbus.domain.settlement import SetAside
from postbus.domain.transaction import Kind
from postbus.ports import Impossible, NotNow, Settled
from tests.component.ledger.worlds import (
    World,
    available,
    balance,
    cancel,
    earmark,
    fund,
    hold,
    outcomes,
    post,
    refuse,
    release,
    trial,
)
from tests.contract.conformance import assert_conforms
from tests.fakes.approvals import ALICE, BOB, CAROL, NOON, account, instruction

USD = Money(1100, "USD")


def test_a_purchase_debits_the_customer_and_credits_suspense(world: World) -> None:
    outcome = post(world, "A1", amount=1000)
    assert (outcome.state, outcome.event_type) == (OutcomeState.POSTED, "TransactionPosted")
    assert (balance(world, "NL-CUR-0001"), balance(world, "SUSPENSE-EUR")) == (-1000, 1000)
    assert_conforms(outcome.announcement())


def test_a_withdrawal_is_settled_with_head_office(world: World) -> None:
    post(world, "A1", Kind.ATM_WITHDRAWAL, 500)
    assert (balance(world, "NL-CUR-0001"), balance(world, "HEAD-OFFICE-EUR")) == (-500, 500)


def test_a_refund_credits_the_customer(world: World) -> None:
    post(world, "A1", Kind.REFUND, 500)
    assert (balance(world, "NL-CUR-0001"), balance(world, "SUSPENSE-EUR")) == (500, -500)


def test_a_transfer_moves_money_between_two_customers(world: World) -> None:
    fund(world, ALICE, 1000)
    post(world, "A1", Kind.TRANSFER, 300, to=BOB)
    assert (balance(world, "NL-CUR-0001"), balance(world, "DE-SAV-0002")) == (700, 300)


def test_a_foreign_purchase_goes_through_the_position_in_both_currencies(world: World) -> None:
    outcome = post(world, "A1", amount=USD, billing=Money(1000, "EUR"))
    assert balance(world, "NL-CUR-0001", "EUR") == -1000
    assert balance(world, "POSITION-EUR", "EUR") == 1000
    assert balance(world, "POSITION-EUR", "USD") == -1100
    assert balance(world, "SUSPENSE-EUR", "USD") == 1100
    assert trial(world) == {"EUR": 0, "USD": 0}
    assert_conforms(outcome.announcement())


def test_a_transfer_between_currencies_gives_the_creditor_the_amount_and_takes_the_billing(
    world: World,
) -> None:
    fund(world, ALICE, 1000)
    post(world, "A1", Kind.TRANSFER, USD, billing=Money(1000, "EUR"), to=CAROL)
    assert (balance(world, "NL-CUR-0001", "EUR"), balance(world, "US-CUR-0003", "USD")) == (0, 1100)


@pytest.mark.parametrize(
    "details",
    [{"of": CAROL}, {"kind": Kind.TRANSFER, "to": CAROL}],
    ids=["debtor", "creditor"],
)
def test_an_account_is_never_posted_to_in_another_currency_than_its_own(
    world: World, details: dict[str, Any]
) -> None:
    outcome = post(world, "A1", **details)
    assert (outcome.state, outcome.data["reason"]["code"]) == (OutcomeState.VOIDED, "CURRENCY_MISMATCH")
    assert world.rows() == {}
    assert_conforms(outcome.announcement())


def test_asking_again_answers_the_stored_outcome_and_books_nothing(world: World) -> None:
    first = post(world, "A1")
    assert [post(world, "A1").announcement() for _ in range(3)] == [first.announcement()] * 3
    assert balance(world, "NL-CUR-0001") == -1000


def test_a_transaction_named_twice_in_a_batch_is_booked_once(world: World) -> None:
    answers = world.ledger.post([instruction("A1"), instruction("A2"), instruction("A1")])
    assert answers[0] == answers[2]
    assert balance(world, "NL-CUR-0001") == -2000


def test_answers_come_in_the_order_of_the_instructions(world: World) -> None:
    post(world, "A2")
    auths = ["A1", "A2", "A3", "A4"]
    answers = world.ledger.post([instruction(auth) for auth in auths])
    assert [a.outcomes[0].transaction_id for a in answers if isinstance(a, Settled)] == [
        f"visa-{auth}" for auth in auths
    ]
    assert balance(world, "NL-CUR-0001") == -4000


@pytest.mark.parametrize("decide", [post, hold, cancel])
def test_other_content_than_was_decided_about_is_impossible(
    world: World, decide: Callable[[World, str], Outcome]
) -> None:
    decided = decide(world, "A1")
    assert world.outcomes.find("visa-A1") == decided
    assert isinstance(world.ledger.post([instruction("A1", content="other")])[0], Impossible)


@pytest.mark.parametrize("decide", [post, hold, cancel])
def test_a_replay_with_other_content_meets_the_outcome_that_stands(
    world: World, decide: Callable[[World, str], Outcome]
) -> None:
    first = decide(world, "A1")
    assert post(world, "A1", content="other", replay="july") == first


@pytest.mark.parametrize("kind", [Kind.PURCHASE, Kind.REVERSAL])
def test_a_conflict_that_was_approved_all_the_same_is_impossible_and_books_nothing(
    world: World, kind: Kind
) -> None:
    post(world, "A1")
    approved = instruction("C1", kind, reverses="A1" if kind is Kind.REVERSAL else None)
    cause = replace(approved.cause, data={**approved.cause.data, "conflict_with": "visa-A1"})
    (answer,) = world.ledger.post([replace(approved, cause=cause)])
    assert isinstance(answer, Impossible)
    assert "visa-A1" in answer.reason
    assert world.outcomes.find("visa-C1") is None
    assert balance(world, "NL-CUR-0001") == -1000


def test_what_is_held_is_not_posted(world: World) -> None:
    held = hold(world, "A1")
    assert post(world, "A1") == held
    assert world.rows() == {}


def test_what_is_voided_is_not_posted(world: World) -> None:
    cancelled = cancel(world, "A1")
    assert post(world, "A1") == cancelled
    assert world.rows() == {}


def test_what_is_released_is_posted_and_needs_no_more_attention(world: World) -> None:
    hold(world, "A1")
    release(world, "A1")
    assert post(world, "A1").state is OutcomeState.POSTED
    assert list(world.outcomes.in_state(OutcomeState.RELEASED)) == []
    found = world.outcomes.find("visa-A1")
    assert found is not None
    assert found.context is None
    assert balance(world, "NL-CUR-0001") == -1000


def test_what_was_released_is_not_posted_with_other_content(world: World) -> None:
    hold(world, "A1")
    release(world, "A1")
    assert isinstance(world.ledger.post([instruction("A1", content="other")])[0], Impossible)


def test_what_another_ledger_was_sent_waits(world: World) -> None:
    sent = instruction("A1")
    world.outcomes.decide(_sending("A1"))
    assert isinstance(world.ledger.post([sent])[0], NotNow)
    assert isinstance(world.ledger.post([instruction("R1", Kind.REVERSAL, reverses="A1")])[0], NotNow)


def _sending(auth: str) -> Any:
    sent = instruction(auth)
    return Outcome.of(sent.cause, OutcomeState.SENDING, "TransactionPostingApproved",
                      sent.transaction.content_hash, sent.decided_at, dict(sent.cause.data))  # fmt: skip


# -- money that must be there ------------------------------------------------------------------------------


def test_a_card_payment_is_booked_though_the_money_is_not_there(world: World) -> None:
    post(world, "A1", amount=1000)
    assert available(world, ALICE) == -1000


def test_a_transfer_without_the_money_is_refused_and_stays_refused(world: World) -> None:
    fund(world, ALICE, 299)
    refused = post(world, "A1", Kind.TRANSFER, 300, to=BOB)
    assert refused.event_type == "TransactionPostingFailed"
    assert refused.data["reason"]["code"] == "INSUFFICIENT_FUNDS"
    assert_conforms(refused.announcement())
    post(world, "A2", Kind.REFUND, 1000)
    assert post(world, "A1", Kind.TRANSFER, 300, to=BOB) == refused
    assert balance(world, "NL-CUR-0001") == 1299


def test_only_the_transfer_that_the_account_cannot_bear_is_refused(world: World) -> None:
    fund(world, ALICE, 1000)
    answers = world.ledger.post(
        [instruction(f"A{n}", Kind.TRANSFER, amount, to=BOB) for n, amount in enumerate([400, 700, 600, 1])]
    )
    events = [answer.outcomes[0].event_type for answer in answers if isinstance(answer, Settled)]
    posted, failed = "TransactionPosted", "TransactionPostingFailed"
    assert events == [posted, failed, posted, failed]
    assert (balance(world, "NL-CUR-0001"), balance(world, "DE-SAV-0002")) == (0, 1000)


def test_two_accounts_without_money_cannot_pay_each_other(world: World) -> None:
    answers = world.ledger.post(
        [
            instruction("A1", Kind.TRANSFER, 100, to=BOB),
            instruction("A2", Kind.TRANSFER, 100, of=BOB, to=ALICE),
        ]
    )
    assert all(
        isinstance(answer, Settled) and answer.outcomes[0].state is OutcomeState.VOIDED for answer in answers
    )


def test_an_agreed_overdraft_is_available(world: World) -> None:
    fund(world, ALICE, 100)
    for _ in range(2):
        world.ledger.agree_overdraft("NL-CUR-0001", Money(200, "EUR"))
    assert post(world, "A1", Kind.TRANSFER, 300, to=BOB).state is OutcomeState.POSTED
    assert post(world, "A2", Kind.TRANSFER, 1, to=BOB).state is OutcomeState.VOIDED
    assert balance(world, "NL-CUR-0001") == -200


def test_another_overdraft_takes_the_place_of_the_first(world: World) -> None:
    for limit in (200, 50, 300):
        world.ledger.agree_overdraft("NL-CUR-0001", Money(limit, "EUR"))
    assert post(world, "A1", Kind.TRANSFER, 300, to=BOB).state is OutcomeState.POSTED
    world.ledger.agree_overdraft("NL-CUR-0001", Money(0, "EUR"))
    fund(world, ALICE, 250)
    assert post(world, "A2", Kind.TRANSFER, 1, to=BOB).state is OutcomeState.VOIDED
    fund(world, BOB, 51)
    assert post(world, "A3", Kind.TRANSFER, 51, of=BOB, to=ALICE).state is OutcomeState.POSTED
    assert post(world, "A4", Kind.TRANSFER, 1, to=BOB).state is OutcomeState.POSTED


def test_funding_is_a_posting_and_happens_once(world: World) -> None:
    fund(world, ALICE, 500)
    fund(world, ALICE, 500)
    assert (balance(world, "NL-CUR-0001"), trial(world)) == (500, {"EUR": 0})


# -- earmarks ----------------------------------------------------------------------------------------------


def test_an_earmark_takes_from_what_is_available_and_not_from_the_balance(world: World) -> None:
    fund(world, ALICE, 1000)
    assert earmark(world, "A1", ALICE, 600)
    assert (balance(world, "NL-CUR-0001"), available(world, ALICE)) == (1000, 400)
    assert world.outcomes.find("visa-A1") is None


def test_an_earmark_again_is_the_same_earmark(world: World) -> None:
    fund(world, ALICE, 1000)
    assert [earmark(world, "A1", ALICE, 600) for _ in range(2)] == [True, True]
    assert available(world, ALICE) == 400


def test_what_is_set_aside_for_a_transaction_stands_whatever_is_asked_for_it_later(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    assert earmark(world, "A1", ALICE, 700)
    assert earmark(world, "A1", BOB, 600)
    assert available(world, ALICE) == 400
    # Posted to an account that lacks the money it is refused there, and what was set aside is let go.
    assert post(world, "A1", Kind.TRANSFER, 600, of=BOB, to=ALICE).state is OutcomeState.VOIDED
    assert available(world, ALICE) == 1000


def test_an_earmark_beyond_what_is_available_is_refused(world: World) -> None:
    fund(world, ALICE, 1000)
    assert earmark(world, "A1", ALICE, 600)
    assert not earmark(world, "A2", ALICE, 401)
    assert not earmark(world, "A3", BOB, 1)


def test_an_earmark_keeps_its_money_from_others(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    assert post(world, "A2", Kind.TRANSFER, 500, to=BOB).state is OutcomeState.VOIDED


def test_a_posting_uses_its_earmark_up_once(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 1000)
    for _ in range(2):
        assert post(world, "A1", Kind.TRANSFER, 900, to=BOB).state is OutcomeState.POSTED
    assert (balance(world, "NL-CUR-0001"), available(world, ALICE)) == (100, 100)


@pytest.mark.parametrize("minor", [1000, 900], ids=["all of it", "less"])
def test_what_was_set_aside_is_booked_though_a_card_has_overdrawn_the_account_since(
    world: World, minor: int
) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 1000)
    post(world, "C1", Kind.PURCHASE, 1)
    assert available(world, ALICE) == -1
    assert post(world, "A1", Kind.TRANSFER, minor, to=BOB).state is OutcomeState.POSTED
    assert available(world, ALICE) == balance(world, "NL-CUR-0001") == 999 - minor


def test_what_is_wanted_beyond_what_was_set_aside_must_be_available(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 1000)
    post(world, "C1", Kind.PURCHASE, 1)
    assert post(world, "A1", Kind.TRANSFER, 1001, to=BOB).state is OutcomeState.VOIDED
    assert available(world, ALICE) == 999


def test_an_earmark_too_small_for_its_transfer_is_let_go_when_that_is_refused(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    assert post(world, "A1", Kind.TRANSFER, 1001, to=BOB).state is OutcomeState.VOIDED
    assert available(world, ALICE) == 1000


def test_voiding_lets_the_earmark_go_also_out_of_a_hold(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    hold(world, "A1")
    assert available(world, ALICE) == 400
    refuse(world, "A1")
    refuse(world, "A1")
    assert available(world, ALICE) == 1000


def test_an_earmark_lives_through_hold_and_release_until_it_is_posted(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    hold(world, "A1", amount=600)
    assert earmark(world, "A1", ALICE, 600)
    release(world, "A1", amount=600)
    assert post(world, "A1", amount=600).state is OutcomeState.POSTED
    assert available(world, ALICE) == balance(world, "NL-CUR-0001") == 400


def test_nothing_is_earmarked_for_what_was_decided_before(world: World) -> None:
    fund(world, ALICE, 1000)
    hold(world, "A1")
    post(world, "A2", amount=1)
    assert not earmark(world, "A1", ALICE, 1)
    assert not earmark(world, "A2", ALICE, 1)
    assert available(world, ALICE) == 999


def test_of_several_earmarks_those_that_fit_are_set_aside_in_their_order(world: World) -> None:
    fund(world, ALICE, 1000)
    hold(world, "D1")
    wanted = {"visa-A1": 600, "visa-D1": 5, "visa-A2": 500, "visa-A3": 300, "visa-A4": 100, "visa-A5": 1}
    amounts = {name: Money(minor, "EUR") for name, minor in wanted.items()}
    done, short = SetAside.DONE, SetAside.SHORT
    expected = dict(zip(wanted, [done, SetAside.DECIDED, short, done, done, short], strict=True))
    for _ in range(2):
        assert world.ledger.earmark(ALICE, amounts) == expected
        assert available(world, ALICE) == 0


def test_a_reversal_uses_up_what_was_set_aside_for_it_once(world: World) -> None:
    fund(world, ALICE, 1000)
    post(world, "A1", Kind.TRANSFER, 600, to=BOB)
    assert earmark(world, "R1", BOB, 600)
    assert available(world, BOB) == 0
    for _ in range(2):
        reversal = post(world, "R1", Kind.REVERSAL, 600, reverses="A1")
        assert reversal.state is OutcomeState.POSTED
    assert (available(world, ALICE), available(world, BOB)) == (1000, 0)
    assert balance(world, "DE-SAV-0002") == 0


def test_a_reversal_that_is_refused_lets_go_what_was_set_aside_for_it(world: World) -> None:
    fund(world, ALICE, 1000)
    post(world, "A1", Kind.TRANSFER, 600, to=BOB)
    fund(world, BOB, 100)
    assert earmark(world, "R1", BOB, 601)
    assert post(world, "R1", Kind.REVERSAL, 601, reverses="A1").state is OutcomeState.VOIDED
    assert available(world, BOB) == 700


# -- reversals ---------------------------------------------------------------------------------------------


def test_a_reversal_undoes_its_original(world: World) -> None:
    post(world, "A1")
    reversal = post(world, "R1", Kind.REVERSAL, reverses="A1")
    assert reversal.state is OutcomeState.POSTED
    assert reversal.data["original_transaction_id"] == "visa-A1"
    assert set(dict(world.rows()).values()) <= {(0, 0), (1000, 1000), (-1000, -1000)}
    assert (balance(world, "NL-CUR-0001"), balance(world, "SUSPENSE-EUR")) == (0, 0)
    assert_conforms(reversal.announcement())


@pytest.mark.parametrize(("creditor", "state"), [(BOB, "POSTED"), (ALICE, "VOIDED"), (CAROL, "VOIDED")])
def test_a_return_takes_money_from_no_other_account_than_was_judged(
    world: World, creditor: Account, state: str
) -> None:
    fund(world, ALICE, 1000)
    post(world, "A1", Kind.TRANSFER, 300, to=BOB)
    returned = post(world, "R1", Kind.REVERSAL, 300, to=creditor, reverses="A1")
    assert returned.state == state
    assert balance(world, BOB.account_id) == (0 if state == "POSTED" else 300)
    if state == "VOIDED":
        assert returned.data["reason"]["code"] == "REVERSAL_MISMATCH"


def test_a_partial_reversal_takes_back_exactly_its_own_amounts(world: World) -> None:
    post(world, "A1", amount=USD, billing=Money(1000, "EUR"))
    post(
        world, "R1", Kind.REVERSAL, Money(333, "USD"), billing=Money(301, "EUR"), reverses="A1", partial=True
    )
    assert balance(world, "NL-CUR-0001", "EUR") == -699
    assert balance(world, "SUSPENSE-EUR", "USD") == 767
    assert trial(world) == {"EUR": 0, "USD": 0}


def test_reversals_together_never_exceed_their_original(world: World) -> None:
    post(world, "A1", amount=1000)
    for auth, amount in (("R1", 600), ("R2", 400)):
        release_reversal(world, auth, amount=amount, reverses="A1", partial=True)
    excess = post(world, "R3", Kind.REVERSAL, 1, reverses="A1", partial=True)
    assert excess.data["reason"]["code"] == "REVERSAL_EXCEEDS_ORIGINAL"
    assert balance(world, "NL-CUR-0001") == 0
    assert_conforms(excess.announcement())


def release_reversal(world: World, auth: str, **details: Any) -> Outcome:
    """Post a reversal, release it if the ledger holds it, and post it again."""
    if post(world, auth, Kind.REVERSAL, **details).state is OutcomeState.HELD:
        release(world, auth, kind=Kind.REVERSAL, **details)
    return post(world, auth, Kind.REVERSAL, **details)


@pytest.mark.parametrize(
    "further", [{"amount": 500, "partial": True}, {"amount": 800, "partial": True}, {"amount": 1000}]
)
def test_a_further_reversal_is_held_for_nobody_can_tell_what_it_counts(
    world: World, further: dict[str, Any]
) -> None:
    post(world, "A1", amount=1000)
    post(world, "R1", Kind.REVERSAL, 200, reverses="A1", partial=True)
    held = post(world, "R2", Kind.REVERSAL, reverses="A1", **further)
    assert (held.state, held.data["findings"][0]["code"]) == (OutcomeState.HELD, "FURTHER_REVERSAL")
    assert held.data["releasable"]
    assert balance(world, "NL-CUR-0001") == -800
    assert_conforms(held.announcement())


def test_a_further_reversal_that_is_released_takes_back_its_own_amount(world: World) -> None:
    post(world, "A1", amount=1000)
    for auth, amount in (("R1", 200), ("R2", 300)):
        release_reversal(world, auth, amount=amount, reverses="A1", partial=True)
    assert balance(world, "NL-CUR-0001") == -500
    excess = release_reversal(world, "R3", amount=501, reverses="A1", partial=True)
    assert excess.data["reason"]["code"] == "REVERSAL_EXCEEDS_ORIGINAL"


@pytest.mark.parametrize(("amount", "billing"), [(600, 100), (100, 600)], ids=["amount", "billing"])
def test_reversals_exceed_neither_the_amount_nor_the_billing(world: World, amount: int, billing: int) -> None:
    post(world, "A1", amount=USD, billing=Money(1000, "EUR"))
    part = {
        "amount": Money(amount, "USD"),
        "billing": Money(billing, "EUR"),
        "reverses": "A1",
        "partial": True,
    }
    assert post(world, "R1", Kind.REVERSAL, **part).state is OutcomeState.POSTED
    excess = release_reversal(world, "R2", **part)
    assert excess.data["reason"]["code"] == "REVERSAL_EXCEEDS_ORIGINAL"


def test_a_reversal_greater_than_its_original_is_refused(world: World) -> None:
    post(world, "A1", amount=1000)
    excess = post(world, "R1", Kind.REVERSAL, 1001, reverses="A1")
    assert excess.data["reason"]["code"] == "REVERSAL_EXCEEDS_ORIGINAL"
    assert balance(world, "NL-CUR-0001") == -1000


@pytest.mark.parametrize("order", list(itertools.permutations(["A1", "R1"])))
def test_a_reversal_and_its_original_in_one_batch_meet_in_either_order(
    world: World, order: tuple[str, str]
) -> None:
    both = {"A1": instruction("A1"), "R1": instruction("R1", Kind.REVERSAL, reverses="A1")}
    answers = world.ledger.post([both[auth] for auth in order])
    assert all(isinstance(a, Settled) and a.outcomes[0].state is OutcomeState.POSTED for a in answers)
    assert balance(world, "NL-CUR-0001") == 0


def test_a_reversal_before_its_original_voids_it_and_tells_of_both(world: World) -> None:
    for _ in range(2):  # redelivered after a crash before the announcement: both are told again
        own, original = outcomes(world, "R1", Kind.REVERSAL, reverses="A1")
        assert (own.state, own.data["reason"]["code"]) == (OutcomeState.VOIDED, "ORIGINAL_VOIDED")
        assert original.transaction_id == "visa-A1"
        assert original.data["reason"]["code"] == "REVERSED_BEFORE_POSTING"
        assert original.data["reversed_by"] == "visa-R1"
        assert_conforms(own.announcement())
        assert_conforms(original.announcement())
    assert post(world, "A1") == original
    assert world.rows() == {}


@pytest.mark.parametrize("released", [False, True], ids=["held", "released"])
def test_a_reversal_of_what_is_held_or_released_voids_it(world: World, released: bool) -> None:
    held = hold(world, "A1")
    if released:
        release(world, "A1")
    _, original = outcomes(world, "R1", Kind.REVERSAL, reverses="A1")
    assert (original.state, original.correlation_id) == (OutcomeState.VOIDED, held.correlation_id)
    assert original.data["transaction"] == held.data["transaction"]
    assert_conforms(original.announcement())
    assert post(world, "A1") == original
    assert list(world.outcomes.in_state(OutcomeState.HELD)) == []


def test_a_reversal_of_what_is_voided_is_voided_itself(world: World) -> None:
    cancel(world, "A1")
    (own,) = outcomes(world, "R1", Kind.REVERSAL, reverses="A1")
    assert own.data["reason"]["code"] == "ORIGINAL_VOIDED"


@pytest.mark.parametrize("before", [lambda _: None, lambda world: hold(world, "A1")], ids=["absent", "held"])
def test_a_partial_reversal_of_what_is_not_posted_is_held(
    world: World, before: Callable[[World], object]
) -> None:
    before(world)
    partial = {"kind": Kind.REVERSAL, "amount": 300, "reverses": "A1", "partial": True}
    held = post(world, "R1", **partial)
    assert (held.state, held.data["releasable"]) == (OutcomeState.HELD, True)
    assert held.data["findings"][0]["code"] == "PARTIAL_REVERSAL_OF_UNPOSTED"
    assert_conforms(held.announcement())
    release(world, "R1", **partial)
    assert isinstance(world.ledger.post([instruction("R1", **partial)])[0], NotNow)


def test_a_partial_reversal_released_after_its_original_was_posted_is_booked(world: World) -> None:
    partial = {"kind": Kind.REVERSAL, "amount": 300, "reverses": "A1", "partial": True}
    post(world, "R1", **partial)
    post(world, "A1", amount=1000)
    release(world, "R1", **partial)
    assert post(world, "R1", **partial).state is OutcomeState.POSTED
    assert balance(world, "NL-CUR-0001") == -700


WRONG = [{"of": BOB}, {"amount": 300}, {"amount": Money(1000, "USD"), "of": CAROL}]


@pytest.mark.parametrize("wrong", WRONG, ids=["account", "amount", "currency"])
@pytest.mark.parametrize("order", ["original-first", "held-first", "reversal-first"])
def test_a_reversal_that_does_not_fit_leaves_the_payment_alone_in_any_order(
    world: World, wrong: dict[str, Any], order: str
) -> None:
    if order == "original-first":
        post(world, "A1")
    if order == "held-first":
        hold(world, "A1")
    assert post(world, "R1", Kind.REVERSAL, reverses="A1", **wrong).state is OutcomeState.VOIDED
    if order == "held-first":
        release(world, "A1")
    posted = post(world, "A1")
    assert posted.state is OutcomeState.POSTED
    assert post(world, "A1") == posted
    again = outcomes(world, "R1", Kind.REVERSAL, reverses="A1", **wrong)
    assert [outcome.state for outcome in again] == [OutcomeState.VOIDED]
    assert balance(world, "NL-CUR-0001") == -1000
    assert post(world, "R2", Kind.REVERSAL, reverses="A1").state is OutcomeState.POSTED


def test_what_a_wrong_reversal_named_before_it_came_can_be_held(world: World) -> None:
    outcomes(world, "R1", Kind.REVERSAL, 300, reverses="A1")
    assert hold(world, "A1").state is OutcomeState.HELD
    release(world, "A1")
    assert post(world, "A1").state is OutcomeState.POSTED


def test_a_reversal_of_what_was_never_seen_says_no_more_than_can_be_known(world: World) -> None:
    own, original = outcomes(world, "R1", Kind.REVERSAL, 300, reverses="A1")
    assert "never" not in own.data["reason"]["text"]
    assert "has not been seen" in own.data["reason"]["text"]
    assert "not posted if it is what that takes back" in original.data["reason"]["text"]
    cancel(world, "A1")
    (later,) = outcomes(world, "R2", Kind.REVERSAL, reverses="A1")
    assert later.data["reason"]["text"] == "what it reverses was never posted and never will be"


def test_what_a_wrong_reversal_named_before_it_came_can_be_cancelled(world: World) -> None:
    outcomes(world, "R1", Kind.REVERSAL, 300, reverses="A1")
    assert cancel(world, "A1").data["reason"]["code"] == "CANCELLED"
    assert post(world, "A1").data["reason"]["code"] == "CANCELLED"


def test_what_a_fitting_reversal_voided_before_it_came_is_not_held(world: World) -> None:
    _, original = outcomes(world, "R1", Kind.REVERSAL, reverses="A1")
    assert hold(world, "A1") == original


@pytest.mark.parametrize("right", [{}, {"amount": 300, "partial": True}], ids=["whole", "part"])
def test_a_reversal_after_a_wrong_one_waits_for_an_operator_and_the_original(
    world: World, right: dict[str, Any]
) -> None:
    details = {"kind": Kind.REVERSAL, "reverses": "A1", **right}
    outcomes(world, "R1", Kind.REVERSAL, 300, reverses="A1")
    held = post(world, "R2", **details)
    assert held.state is OutcomeState.HELD
    assert_conforms(held.announcement())
    release(world, "R2", **details)
    assert isinstance(world.ledger.post([instruction("R2", **details)])[0], NotNow)
    post(world, "A1")
    assert post(world, "R2", **details).state is OutcomeState.POSTED


def test_a_second_reversal_before_the_original_that_says_the_same_is_voided_too(world: World) -> None:
    for auth in ("R1", "R2"):
        assert post(world, auth, Kind.REVERSAL, reverses="A1").data["reason"]["code"] == "ORIGINAL_VOIDED"


@pytest.mark.parametrize("order", list(itertools.permutations(["A1", "R1", "R2"])))
def test_a_reversal_of_a_reversal_changes_nothing_in_any_order(world: World, order: tuple[str, ...]) -> None:
    told = {
        "A1": instruction("A1"),
        "R1": instruction("R1", Kind.REVERSAL, reverses="A1"),
        "R2": instruction("R2", Kind.REVERSAL, reverses="R1"),
    }
    for auth in order:
        world.ledger.post([told[auth]])
    assert sum(minor for key, (minor, _) in world.rows().items() if key.startswith("NL-CUR-0001")) == 0


def test_a_reversal_of_a_held_reversal_is_refused(world: World) -> None:
    post(world, "R1", Kind.REVERSAL, 300, reverses="A1", partial=True)
    refused = post(world, "R2", Kind.REVERSAL, 300, reverses="R1")
    assert refused.data["reason"]["code"] == "REVERSAL_OF_REVERSAL"


def test_a_whole_reversal_of_less_than_was_posted_is_refused(world: World) -> None:
    post(world, "A1", amount=USD, billing=Money(1000, "EUR"))
    for auth, amounts in (("R1", (1000, 1000)), ("R2", (1100, 900))):
        usd, eur = Money(amounts[0], "USD"), Money(amounts[1], "EUR")
        refused = post(world, auth, Kind.REVERSAL, usd, billing=eur, reverses="A1")
        assert refused.data["reason"]["code"] == "REVERSAL_MISMATCH"
        assert_conforms(refused.announcement())


def test_a_reversal_of_a_reversal_is_refused(world: World) -> None:
    post(world, "A1")
    post(world, "R1", Kind.REVERSAL, reverses="A1")
    for auth, original in (("R2", "R1"), ("R3", "R3")):
        refused = post(world, auth, Kind.REVERSAL, reverses=original)
        assert refused.data["reason"]["code"] == "REVERSAL_OF_REVERSAL"
        assert_conforms(refused.announcement())


def test_a_reversal_of_another_accounts_posting_is_refused(world: World) -> None:
    post(world, "A1")
    hold(world, "A2")
    for auth, original in (("R1", "A1"), ("R2", "A2")):
        refused = post(world, auth, Kind.REVERSAL, reverses=original, of=BOB)
        assert refused.data["reason"]["code"] == "REVERSAL_MISMATCH"
        assert_conforms(refused.announcement())
    assert balance(world, "NL-CUR-0001") == -1000


def test_a_reversal_in_other_currencies_is_refused(world: World) -> None:
    post(world, "A1", amount=USD, billing=Money(1000, "EUR"))
    refused = post(world, "R1", Kind.REVERSAL, 1000, reverses="A1")
    assert refused.data["reason"]["code"] == "REVERSAL_MISMATCH"


def test_a_reversal_of_what_is_booked_in_another_ledger_waits(world: World) -> None:
    booked = instruction("A1")
    there = {"kind": "purchase", "ledger": "http", "amount": {"amount": "1000", "currency": "EUR"}}
    world.outcomes.decide(
        Outcome.of(
            booked.cause,
            OutcomeState.POSTED,
            "TransactionPosted",
            booked.transaction.content_hash,
            NOON,
            there,
        )
    )
    assert isinstance(world.ledger.post([instruction("R1", Kind.REVERSAL, reverses="A1")])[0], NotNow)
    assert world.rows() == {}


def test_a_reversal_lets_the_earmark_of_what_it_voids_go(world: World) -> None:
    fund(world, ALICE, 1000)
    earmark(world, "A1", ALICE, 600)
    outcomes(world, "R1", Kind.REVERSAL, reverses="A1")
    assert available(world, ALICE) == 1000


def test_a_posting_is_the_sum_of_what_was_authorised_in_a_great_batch(world: World) -> None:
    customers = [account(f"NL-CUR-1{n:03d}") for n in range(7)]
    batch = [instruction(f"A{n}", amount=n + 1, of=customers[n % 7]) for n in range(150)]
    answers = world.ledger.post(batch)
    assert all(isinstance(answer, Settled) for answer in answers)
    assert balance(world, "SUSPENSE-EUR") == sum(range(1, 151))
    assert trial(world) == {"EUR": 0}
