"""From the directories' records to facts, or to a rejection with its reason."""

from typing import Any

import pytest

from postbus.domain.duplicates import with_content_hash
from postbus.domain.enrichment import Enriched, Rejection, decide, is_foreign
from postbus.domain.errors import Malformed
from postbus.domain.money import Money
from postbus.domain.sample import NAMED_ACCOUNTS
from postbus.domain.transaction import Kind, Transaction

ANNA = NAMED_ACCOUNTS[0]
DANA_USD = next(one for one in NAMED_ACCOUNTS if one["currency"] == "USD")


def transaction(**changes: Any) -> Transaction:
    return with_content_hash(
        **{
            "transaction_id": "visa-A1",
            "source": "visa",
            "kind": Kind.PURCHASE,
            "amount": Money(1230, "EUR"),
            "billing": Money(1230, "EUR"),
            "account_token": "tok_sample_anna",
            "transmitted_at": "2026-01-31T12:00:00Z",
            "home_region": "eu-west-1",
            "merchant_id": "GROCER-0001",
            "merchant_country": "DE",
            **changes,
        }
    )


TRANSFER = {
    "kind": Kind.TRANSFER,
    "counterparty_token": "tok_sample_bruno",
    "merchant_id": None,
    "merchant_country": None,
}


def decided(one: Transaction, **changes: Any) -> Enriched | Rejection:
    known: dict[str, Any] = {
        "account": ANNA,
        "counterparty": None,
        "merchant": None,
        "velocity_count": 3,
        **changes,
    }
    return decide(one, **known)


def code(decision: Enriched | Rejection) -> str | None:
    return decision.code if isinstance(decision, Rejection) else None


def test_an_enriched_transaction_carries_what_posting_and_rules_need_and_no_iban() -> None:
    merchant = {"merchant_id": "GROCER-0001", "name": "Corner Grocer", "status": "active", "country": "DE"}
    decision = decided(transaction(), merchant=merchant)
    assert isinstance(decision, Enriched)
    assert decision.data["account"]["account_id"] == "current-anna"
    assert "counterparty" not in decision.data
    assert decision.data["merchant"] == {"id": "GROCER-0001", "name": "Corner Grocer", "status": "active"}
    assert decision.data["facts"] == {"foreign": False, "converted": False, "velocity_count": 3}
    assert ANNA["iban"] not in str(decision.data)


def test_a_merchant_nobody_knows_is_no_fault() -> None:
    decision = decided(transaction())
    assert isinstance(decision, Enriched)
    assert decision.data["merchant"] == {"id": "GROCER-0001"}


@pytest.mark.parametrize("status", ["blocked", "closed"])
@pytest.mark.parametrize("kind", [Kind.PURCHASE, Kind.ATM_WITHDRAWAL, Kind.REFUND])
def test_an_account_that_is_not_open_rejects_every_kind(status: str, kind: Kind) -> None:
    decision = decided(transaction(kind=kind), account={**ANNA, "status": status})
    assert code(decision) == f"ACCOUNT_{status.upper()}"


def test_a_reversal_is_no_exception() -> None:
    reversal = transaction(kind=Kind.REVERSAL, original_transaction_id="visa-A0")
    assert code(decided(reversal, account={**ANNA, "status": "blocked"})) == "ACCOUNT_BLOCKED"
    assert code(decided(reversal)) is None


def test_an_unknown_account_rejects() -> None:
    assert code(decided(transaction(), account=None)) == "ACCOUNT_UNKNOWN"


def test_a_billing_currency_that_is_not_the_accounts_rejects() -> None:
    assert code(decided(transaction(), account=DANA_USD)) == "CURRENCY_MISMATCH"


@pytest.mark.parametrize(
    ("counterparty", "expected"),
    [
        (None, "COUNTERPARTY_UNKNOWN"),
        ({**ANNA, "status": "closed"}, "COUNTERPARTY_CLOSED"),
        ({**ANNA, "status": "blocked"}, "COUNTERPARTY_BLOCKED"),
        (DANA_USD, "CURRENCY_MISMATCH"),
        (ANNA, None),
    ],
)
def test_a_transfer_needs_an_open_account_of_the_creditor_in_the_instructed_currency(
    counterparty: Any, expected: str | None
) -> None:
    assert code(decided(transaction(**TRANSFER), counterparty=counterparty)) == expected


@pytest.mark.parametrize(
    ("counterparty", "expected"),
    [
        (None, "COUNTERPARTY_UNKNOWN"),
        ({**ANNA, "status": "closed"}, "COUNTERPARTY_CLOSED"),
        ({**ANNA, "status": "blocked"}, "COUNTERPARTY_BLOCKED"),
        (DANA_USD, "CURRENCY_MISMATCH"),
        ({**ANNA, "holds": ["LEGAL"]}, None),
    ],
)
def test_a_return_needs_the_account_that_gives_the_money_back_to_be_open(
    counterparty: Any, expected: str | None
) -> None:
    returned = transaction(
        **TRANSFER | {"kind": Kind.REVERSAL, "original_transaction_id": "credit_transfers-T1"}
    )
    decision = decided(returned, counterparty=counterparty)
    assert code(decision) == expected
    if isinstance(decision, Enriched):
        # For the rules to judge.
        assert decision.data["counterparty"]["holds"] == ["LEGAL"]


@pytest.mark.parametrize(
    ("changes", "foreign"),
    [
        ({}, False),
        ({"merchant_country": "US"}, True),
        ({"acquirer_country": "US"}, True),
        ({"merchant_country": None}, False),
        ({"amount": Money(1400, "USD"), "conversion_rate": "0.9"}, True),
    ],
)
def test_abroad_or_in_another_currency_is_foreign(changes: dict[str, Any], foreign: bool) -> None:
    assert is_foreign(transaction(**changes), ANNA) is foreign


def test_without_a_country_the_iban_tells_it_and_without_an_iban_only_the_currency() -> None:
    abroad = transaction(merchant_country="US")
    without_country = {name: value for name, value in ANNA.items() if name != "country"}
    assert is_foreign(abroad, without_country)
    assert not is_foreign(transaction(), without_country)
    assert not is_foreign(abroad, {"account_id": "x"})


@pytest.mark.parametrize("broken", [{"suspense_account": None}, {"status": "frozen"}, {"currency": ""}])
def test_an_accounts_record_that_is_not_whole_is_somebodys_to_mend(broken: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=f"account.{next(iter(broken))}"):
        decided(transaction(), account={**ANNA, **broken})
