"""Transfers become transactions between two accounts."""

import json
from pathlib import Path
from typing import Any

import pytest

from postbus.adapters.record_schemas import record_schema
from postbus.domain import duplicates
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES, RecordSchema, source_named
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction

EXAMPLES = Path(__file__).parents[4] / "events" / "records" / "credit_transfers" / "v1" / "examples"
SCHEMA = RecordSchema(record_schema("credit_transfers"))
SOURCE = SOURCES["credit_transfers"]


def read(name: str, **changes: Any) -> Transaction:
    record = {**json.loads((EXAMPLES / f"{name}.json").read_text()), **changes}
    result = SOURCE.read({key: value for key, value in record.items() if value is not None}, dict, SCHEMA)
    if isinstance(result, Malformed):
        raise result
    return result


def test_a_transfer_names_both_accounts() -> None:
    transaction = read("transfer")
    assert transaction.kind is Kind.TRANSFER
    assert transaction.transaction_id == "credit_transfers-T3M8K2VX7Q"
    assert (transaction.account_token, transaction.counterparty_token) == (
        "acct_m4x7q2v9kz",
        "acct_h8d3r6n1wy",
    )
    assert transaction.amount == transaction.billing == Money(250000, "EUR")


def test_a_transfer_between_currencies_keeps_both_amounts() -> None:
    transaction = read("transfer_between_currencies")
    assert (transaction.amount, transaction.billing) == (Money(10000, "USD"), Money(9213, "EUR"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"creditor_account_token": "acct_m4x7q2v9kz"}, "creditor_account_token"),
        ({"instructed_amount": "0"}, "instructed_amount"),
        ({"settlement_currency": "USD"}, "settlement_amount"),
        ({"requested_execution_date_time": "2026-13-01T00:00:00Z"}, "requested_execution_date_time"),
    ],
)
def test_a_fault_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as fault:
        read("transfer", **changes)
    assert fault.value.field == field


def test_a_resubmission_under_another_id_has_the_same_fingerprint() -> None:
    first = read("transfer")
    again = read("transfer", transfer="T9", uetr="0e9f6a1c-3b57-4d82-a1c4-5d6e7f809a1b")
    other = read("transfer", transfer="T10", end_to_end_id="INVOICE-2026-0019")
    fingerprints = [duplicates.fingerprint(one, SOURCE.fingerprint_fields) for one in (first, again, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_a_return_reverses_the_transfer_it_names_on_its_accounts() -> None:
    transaction = read("return")
    assert transaction.kind is Kind.REVERSAL
    assert transaction.original_transaction_id == "credit_transfers-T3M8K2VX7Q"
    assert transaction.account_token == read("transfer").account_token
    assert transaction.counterparty_token == read("transfer").counterparty_token
    assert (transaction.amount, transaction.partial) == (Money(250000, "EUR"), False)


def test_a_return_of_a_part_leaves_the_rest_standing() -> None:
    transaction = read("return_of_a_part")
    assert (transaction.amount, transaction.partial) == (Money(100000, "EUR"), True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"original_transfer": "R7D2K9QW5N"}, "original_transfer"),
        ({"original_instructed_amount": "100000"}, "original_instructed_amount"),
        ({"original_transfer": None}, "original_transfer"),
    ],
)
def test_a_fault_of_a_return_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as fault:
        read("return_of_a_part", **changes)
    assert fault.value.field == field


def test_equal_returns_of_two_transfers_have_two_fingerprints() -> None:
    first, other = read("return"), read("return", transfer="R9", original_transfer="T4")
    fingerprints = {duplicates.fingerprint(one, SOURCE.fingerprint_fields) for one in (first, other)}
    assert len(fingerprints) == 2


def test_an_unknown_source_is_told_the_known_ones() -> None:
    with pytest.raises(Malformed, match=", ".join(sorted(SOURCES))):
        source_named("fednow")
