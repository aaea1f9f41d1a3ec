"""An accepted transfer becomes a record that the pipeline takes, once, in the same amount."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.adapters.record_schemas import record_schema
from postbus.domain.card_numbers import passes_luhn
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.iso20022.business_checks import MOST_MINOR
from postbus.domain.iso20022.instructions import (
    Accounts,
    Origin,
    Returned,
    reference,
    return_record,
    transfer_record,
)
from postbus.domain.iso20022.workflow import pipeline_transaction_id
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction
from tests.unit.domain.iso20022.own_messages import own_message

SOURCE = SOURCES["credit_transfers"]
SCHEMA = RecordSchema(record_schema("credit_transfers"))

ACCOUNTS = Accounts("acct_m4x7q2v9kz", "acct_h8d3r6n1wy")
ORIGIN = Origin("8c5f2f4e-3a51-4a6b-9d0e-2f7b6c1a9e55", datetime(2026, 11, 2, 12, tzinfo=UTC), "eu-central-1")
TRANSFER = own_message("pacs.008.001.08").message.transfers[0]
RETURN = own_message("pacs.004.001.10").message.returns[0]
ORIGINAL = Returned("T3M8K2VX7Q", Money(125050, "EUR"), ACCOUNTS)

UUIDS = st.uuids(version=4).map(str)
# As XML may carry them: Max35Text, of any script.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=35)
DIGITS = st.text("0123456789 -/", min_size=13, max_size=35)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "USD"])


def taken(record: Any) -> Transaction:
    result = SOURCE.read(record, dict, SCHEMA)
    assert isinstance(result, Transaction), result
    return result


def test_a_record_carries_the_transfer_under_a_derived_key() -> None:
    transaction = taken(transfer_record(TRANSFER, ORIGIN, ACCOUNTS))
    assert transaction.transaction_id == pipeline_transaction_id(ORIGIN.transaction_id, TRANSFER.number)
    assert transaction.kind is Kind.TRANSFER
    assert transaction.amount == TRANSFER.amount
    assert transaction.end_to_end_id == TRANSFER.end_to_end_id
    assert (transaction.account_token, transaction.counterparty_token) == (
        ACCOUNTS.debtor_token,
        ACCOUNTS.creditor_token,
    )


@given(UUIDS, UUIDS, st.one_of(TEXTS, DIGITS), st.integers(1, MOST_MINOR), CURRENCIES, st.integers(1, 99999))
def test_every_accepted_transfer_is_taken_in_its_amount(
    transaction_id: str, uetr: str, end_to_end_id: str, minor: int, currency: str, number: int
) -> None:
    transfer = replace(
        TRANSFER, number=number, uetr=uetr, end_to_end_id=end_to_end_id, amount=Money(minor, currency)
    )
    origin = replace(ORIGIN, transaction_id=transaction_id)
    transaction = taken(transfer_record(transfer, origin, ACCOUNTS))
    assert transaction.amount == transaction.billing == Money(minor, currency)
    assert transfer_record(transfer, origin, ACCOUNTS) == transfer_record(transfer, origin, ACCOUNTS)


@given(st.lists(st.tuples(UUIDS, st.integers(1, 99999)), unique=True, min_size=2, max_size=20))
def test_no_two_transfers_share_a_record(transfers: list[tuple[str, int]]) -> None:
    keys = {
        transfer_record(
            replace(TRANSFER, number=number), replace(ORIGIN, transaction_id=transaction_id), ACCOUNTS
        )["transfer"]
        for transaction_id, number in transfers
    }
    assert len(keys) == len(transfers)


def test_a_uetr_of_digits_that_pass_as_a_card_number_keeps_nothing_out() -> None:
    middle = next(four for four in range(10_000) if passes_luhn(f"41111111{four:04}4111"))
    uetr = f"41111111-{middle:04}-4111-8111-111111111111"
    assert uuid.UUID(uetr).version == 4
    assert taken(transfer_record(replace(TRANSFER, uetr=uetr), ORIGIN, ACCOUNTS)).amount == TRANSFER.amount


@given(st.lists(st.one_of(TEXTS, DIGITS), unique=True, min_size=2, max_size=10))
def test_references_that_differ_stay_different(texts: list[str]) -> None:
    given_ones = [text for text in texts if text not in ("", "NOTPROVIDED")]
    assert len({reference(text) for text in given_ones}) == len(given_ones)


@pytest.mark.parametrize("text", ["INVOICE-4711", "WAGES 11/26", "123456789012"])
def test_a_reference_that_fits_is_kept(text: str) -> None:
    assert reference(text) == text


@pytest.mark.parametrize(
    "text", ["4111111111111111", "E2E_1", "Größe 4", "2026-11-02/0000017", "DE89370400440532013000"]
)
def test_a_reference_that_does_not_fit_is_replaced_by_letters(text: str) -> None:
    replaced = reference(text)
    assert replaced.startswith("E-")
    assert replaced[2:].isalpha()
    assert reference(text) == replaced


def test_payments_without_a_reference_are_told_apart_by_what_else_they_have() -> None:
    first, second = reference("NOTPROVIDED", "uetr-1"), reference("NOTPROVIDED", "uetr-2")
    assert first != second
    assert reference("NOTPROVIDED", None, "uetr-1") == first
    assert reference("NOTPROVIDED") == "NOTPROVIDED"


def test_a_return_of_a_part_reverses_that_part_of_the_original() -> None:
    transaction = taken(return_record(RETURN, ORIGIN, ORIGINAL))
    assert transaction.kind is Kind.REVERSAL
    assert transaction.original_transaction_id == "credit_transfers-T3M8K2VX7Q"
    assert (transaction.amount, transaction.partial) == (Money(100050, "EUR"), True)
    assert transaction.account_token == ACCOUNTS.debtor_token


def test_a_return_of_all_is_no_partial_one() -> None:
    whole = replace(RETURN, amount=ORIGINAL.amount)
    assert taken(return_record(whole, ORIGIN, ORIGINAL)).partial is False


@pytest.mark.parametrize("amount", [Money(125051, "EUR"), Money(100, "USD")])
def test_no_more_is_returned_than_there_was(amount: Money) -> None:
    with pytest.raises(Malformed, match="RtrdIntrBkSttlmAmt"):
        return_record(replace(RETURN, amount=amount), ORIGIN, ORIGINAL)


def test_a_transfer_within_one_account_is_malformed() -> None:
    with pytest.raises(Malformed, match="creditor_account_token"):
        Accounts("acct_m4x7q2v9kz", "acct_m4x7q2v9kz")
