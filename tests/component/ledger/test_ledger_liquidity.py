"""Funds set aside for a message's transfers: atomically, once, and given back once."""

from datetime import UTC, datetime
from typing import Any

import pytest

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.ledger_liquidity import LedgerLiquidity
from postbus.domain.errors import Malformed
from postbus.domain.iso20022.workflow import Reservation
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account
from tests.fakes.inbound import InMemoryDirectory

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID, OTHER = "credit_transfers-a-00001", "credit_transfers-a-00002"
RECORD = {
    "token": "tok_a",
    "account_id": "current-a",
    "status": "open",
    "currency": "EUR",
    "type": "current",
    "suspense_account": "suspense",
    "head_office_account": "head-office",
    "position_account": "position",
}


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def ledger(dynamodb: Any) -> DynamoDbLedger:
    ledger = DynamoDbLedger(dynamodb, "ledger", "balances", sleep=lambda _: None)
    ledger.fund(Account.from_data(RECORD), euros(1_000), "opening-1", NOON)
    return ledger


@pytest.fixture
def outcomes(dynamodb: Any) -> DynamoDbOutcomes:
    return DynamoDbOutcomes(dynamodb, "ledger")


@pytest.fixture
def liquidity(ledger: DynamoDbLedger, outcomes: DynamoDbOutcomes) -> LedgerLiquidity:
    return LedgerLiquidity(ledger, outcomes, InMemoryDirectory({"tok_a": RECORD}))


def test_funds_are_reserved_once_however_often_it_is_asked(liquidity: LedgerLiquidity) -> None:
    for _ in range(3):
        assert liquidity.reserve(ID, "tok_a", euros(600)) is Reservation.RESERVED
    assert liquidity.reserve(OTHER, "tok_a", euros(400)) is Reservation.RESERVED


def test_two_transfers_cannot_have_the_same_money(liquidity: LedgerLiquidity) -> None:
    liquidity.reserve(ID, "tok_a", euros(600))
    assert liquidity.reserve(OTHER, "tok_a", euros(401)) is Reservation.SHORT


def test_what_is_released_can_be_reserved_again_and_only_once(liquidity: LedgerLiquidity) -> None:
    liquidity.reserve(ID, "tok_a", euros(1_000))
    for _ in range(2):
        liquidity.release(ID)
    assert liquidity.reserve(OTHER, "tok_a", euros(1_000)) is Reservation.RESERVED
    assert liquidity.reserve(ID, "tok_a", euros(1)) is Reservation.SHORT


def test_releasing_what_was_never_reserved_is_no_change(liquidity: LedgerLiquidity) -> None:
    liquidity.release(ID)
    assert liquidity.reserve(ID, "tok_a", euros(1_000)) is Reservation.RESERVED


def voided(outcomes: DynamoDbOutcomes) -> None:
    reason = {"code": "CANCELLED", "text": "by the client"}
    outcomes.decide(
        Outcome(
            transaction_id=ID,
            state=OutcomeState.VOIDED,
            event_type="TransactionVoided",
            content_hash="",
            correlation_id="c",
            causation_id="c",
            decided_at=NOON,
            data={"reason": reason},
        )
    )


def test_voiding_lets_the_money_go_once_and_a_late_release_adds_none(
    liquidity: LedgerLiquidity, outcomes: DynamoDbOutcomes
) -> None:
    liquidity.reserve(ID, "tok_a", euros(600))
    voided(outcomes)
    liquidity.release(ID)
    assert liquidity.reserve(OTHER, "tok_a", euros(1_001)) is Reservation.SHORT
    assert liquidity.reserve(OTHER, "tok_a", euros(1_000)) is Reservation.RESERVED


def test_a_transfer_that_was_decided_is_not_short_of_funds(
    liquidity: LedgerLiquidity, outcomes: DynamoDbOutcomes
) -> None:
    voided(outcomes)
    assert liquidity.reserve(ID, "tok_a", euros(5_000)) is Reservation.DECIDED


def test_an_account_nobody_knows_or_of_another_currency_is_no_lack_of_funds(
    liquidity: LedgerLiquidity,
) -> None:
    with pytest.raises(Malformed):
        liquidity.reserve(ID, "tok_none", euros(1))
    with pytest.raises(Malformed):
        liquidity.reserve(ID, "tok_a", Money(1, "USD"))
