"""Who was here before, and who only looks like it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain import duplicates
from postbus.domain.duplicates import Judgement, Verdict, judge
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WINDOW = timedelta(days=1)
FIELDS = SOURCES["visa"].fingerprint_fields


def transaction(**changes: Any) -> Transaction:
    values: dict[str, Any] = {
        "transaction_id": "visa-A1",
        "source": "visa",
        "kind": Kind.PURCHASE,
        "amount": Money(1230, "EUR"),
        "billing": Money(1230, "EUR"),
        "account_token": "tok_anna",
        "transmitted_at": "2026-01-31T12:00:00Z",
        "home_region": "eu-west-1",
        "message_type": "0100",
        "processing_code": "000000",
        "local_time": "2026-01-31T13:00:00",
        "stan": "000123",
        "rrn": "603109000123",
        "merchant_category_code": "5411",
        "merchant_id": "GROCER-0001",
        "merchant_country": "DE",
        "terminal_id": "T0000001",
        **changes,
    }
    return duplicates.with_content_hash(**values)


def verdict_on(second: Transaction, after: Transaction, window: timedelta = WINDOW) -> Verdict:
    """What is said of ``second`` when ``after`` holds whatever both of them claim."""

    def claims(one: Transaction) -> tuple[duplicates.Claim, duplicates.Claim]:
        at = duplicates.event_time(one, NOON + timedelta(days=365))
        fingerprint = duplicates.fingerprint(one, FIELDS)
        return (
            duplicates.identity_claim(one, at, at),
            duplicates.fingerprint_claim(one, fingerprint, at, window),
        )

    (wanted, own), (identity, fingerprint) = claims(second), claims(after)
    return judge(
        wanted,
        identity if identity.key == wanted.key else wanted,
        fingerprint if fingerprint.key == own.key else own,
        window,
    )


def test_the_same_content_under_the_same_id_is_a_redelivery() -> None:
    later = transaction(transmitted_at="2026-01-31T15:00:00Z", stan="000999", pos_entry_mode="051")
    assert verdict_on(later, after=transaction()).judgement is Judgement.REDELIVERY


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(1231, "EUR"), "billing": Money(1231, "EUR")},
        {"amount": Money(1230, "SEK"), "billing": Money(1230, "SEK")},
        {"account_token": "tok_bruno"},
        {"kind": Kind.REFUND, "processing_code": "200000"},
        {"merchant_id": "GROCER-0002"},
    ],
)
def test_other_content_under_the_same_id_is_a_conflict(changes: dict[str, Any]) -> None:
    verdict = verdict_on(transaction(**changes), after=transaction())
    assert verdict == Verdict(Judgement.CONFLICT, "visa-A1")


def test_either_amount_alone_makes_another_content() -> None:
    abroad: dict[str, Any] = {"amount": Money(1400, "USD"), "conversion_rate": "0.8786"}
    for changes in (
        {"amount": Money(1401, "USD")},
        {"billing": Money(1231, "EUR")},
        {"conversion_rate": "0.8787"},
    ):
        other = transaction(**{**abroad, **changes})
        assert verdict_on(other, after=transaction(**abroad)).judgement is Judgement.CONFLICT


def test_the_same_business_under_another_id_is_a_suspected_duplicate() -> None:
    again = transaction(transaction_id="visa-A2", transmitted_at="2026-02-01T11:59:59Z")
    assert verdict_on(again, after=transaction()) == Verdict(Judgement.SUSPECTED_DUPLICATE, "visa-A1")


@pytest.mark.parametrize("transmitted_at", ["2026-01-30T12:00:01Z", "2026-02-01T11:59:59Z"])
def test_the_window_reaches_as_far_back_as_forward(transmitted_at: str) -> None:
    other = transaction(transaction_id="visa-A2", transmitted_at=transmitted_at)
    assert verdict_on(other, after=transaction()).judgement is Judgement.SUSPECTED_DUPLICATE


@pytest.mark.parametrize("transmitted_at", ["2026-01-30T12:00:00Z", "2026-02-01T12:00:00Z"])
def test_outside_the_window_the_same_business_is_fresh(transmitted_at: str) -> None:
    other = transaction(transaction_id="visa-A2", transmitted_at=transmitted_at)
    assert verdict_on(other, after=transaction()).judgement is Judgement.FRESH


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(1231, "EUR"), "billing": Money(1231, "EUR")},
        {"account_token": "tok_bruno"},
        {"merchant_id": "GROCER-0002"},
        {"terminal_id": "T0000002"},
        {"stan": "000124"},
        {"rrn": "603109000124"},
        {"local_time": "2026-01-31T13:00:01"},
        {"processing_code": "000030"},
        {"message_type": "0200"},
    ],
)
def test_another_business_is_fresh(changes: dict[str, Any]) -> None:
    other = transaction(transaction_id="visa-A2", **changes)
    assert verdict_on(other, after=transaction()).judgement is Judgement.FRESH


def test_a_reversal_is_no_duplicate_of_its_original_nor_of_another_reversal() -> None:
    reversal = transaction(
        transaction_id="visa-R1",
        kind=Kind.REVERSAL,
        message_type="0400",
        original_transaction_id="visa-A1",
    )
    assert verdict_on(reversal, after=transaction()).judgement is Judgement.FRESH
    other = transaction(
        transaction_id="visa-R2",
        kind=Kind.REVERSAL,
        message_type="0400",
        original_transaction_id="visa-A2",
    )
    assert verdict_on(other, after=reversal).judgement is Judgement.FRESH


def test_an_original_whose_claim_lapsed_is_not_flagged_for_its_successor() -> None:
    successor = transaction(transaction_id="visa-A2", transmitted_at="2026-02-02T12:00:00Z")
    assert verdict_on(transaction(), after=successor).judgement is Judgement.FRESH


def test_a_conflict_gets_an_id_of_its_own_and_keeps_its_content() -> None:
    other = transaction(amount=Money(1, "EUR"), billing=Money(1, "EUR"))
    conflict = duplicates.as_conflict(other)
    assert conflict.transaction_id == f"visa-A1.conflict-{other.content_hash[:8]}"
    assert replace(conflict, transaction_id="visa-A1") == other


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)))
def test_a_clock_ahead_of_the_arrival_does_not_move_the_event_time(transmitted: datetime) -> None:
    sent = transaction(transmitted_at=transmitted.replace(tzinfo=UTC).isoformat())
    at = duplicates.event_time(sent, NOON)
    assert at <= NOON
    assert at == min(transmitted.replace(tzinfo=UTC), NOON)


def test_an_amount_written_in_other_ways_is_the_same_content() -> None:
    assert transaction(partial=False).content_hash == transaction().content_hash


def test_fingerprint_fields_are_facts_of_a_transaction() -> None:
    assert duplicates.checked_fields(["account_token", "message_class"]) == ("account_token", "message_class")
    for names in (["acount_token"], ["transaction_id"], []):
        with pytest.raises(Malformed, match="fingerprint_fields"):
            duplicates.checked_fields(names)


def test_every_source_has_valid_fingerprint_fields() -> None:
    assert SOURCES
    for source in SOURCES.values():
        assert duplicates.checked_fields(source.fingerprint_fields) == source.fingerprint_fields


def test_an_id_is_kept_from_its_arrival_on_though_its_sender_says_it_is_old() -> None:
    arrived = NOON + timedelta(days=500)
    claim = duplicates.identity_claim(transaction(), NOON, arrived)
    assert claim.event_time == NOON
    assert claim.expires_at == arrived + duplicates.IDENTITY_RETENTION
