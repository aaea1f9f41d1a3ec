"""Card authorisations become transactions exactly, or are refused with the field that is at fault."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.adapters.record_schemas import record_schema
from postbus.domain.card_numbers import long_numbers
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.money import Money
from postbus.domain.sample import pan
from postbus.domain.transaction import Kind, Transaction

EXAMPLES = Path(__file__).parents[4] / "events" / "records" / "visa" / "v1" / "examples"
SCHEMA = RecordSchema(record_schema("visa"))


def example(name: str, **changes: Any) -> dict[str, Any]:
    record = {**json.loads((EXAMPLES / f"{name}.json").read_text()), **changes}
    return {name: value for name, value in record.items() if value is not None}


def read(record: dict[str, Any]) -> Transaction:
    result = SOURCES["visa"].read(record, dict, SCHEMA)
    if isinstance(result, Malformed):
        raise result
    return result


def test_a_purchase_keeps_every_fact() -> None:
    record = example("purchase")
    transaction = read(record)
    assert transaction.transaction_id == "visa-A7K2M9QX4T"
    assert transaction.kind is Kind.PURCHASE
    assert transaction.amount == transaction.billing == Money(1230, "EUR")
    assert transaction.conversion_rate is None
    kept = {str(value) for value in transaction.to_data().values()}
    for name in set(record) - {"auth", "status", "transaction_amount", "transaction_currency"}:
        assert record[name] in kept, name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("purchase", Kind.PURCHASE),
        ("atm_withdrawal_amount_as_number", Kind.ATM_WITHDRAWAL),
        ("refund", Kind.REFUND),
        ("reversal", Kind.REVERSAL),
    ],
)
def test_the_kind_follows_processing_code_and_message_class(name: str, kind: Kind) -> None:
    assert read(example(name)).kind is kind


def test_a_foreign_purchase_keeps_both_amounts_and_the_rate() -> None:
    transaction = read(example("foreign_purchase"))
    assert (transaction.amount, transaction.billing) == (Money(10000, "USD"), Money(9213, "EUR"))
    assert transaction.conversion_rate == "0.9213"


def test_a_partial_reversal_takes_back_what_no_longer_stands() -> None:
    transaction = read(example("partial_reversal"))
    assert transaction.partial
    assert (transaction.amount, transaction.billing) == (Money(6000, "USD"), Money(5528, "EUR"))
    assert transaction.original_transaction_id == "visa-B2W8P5ZC6N"


def test_a_replacement_of_nothing_is_a_full_reversal() -> None:
    transaction = read(example("partial_reversal", replacement_amount="0", replacement_billing_amount="0"))
    assert not transaction.partial
    assert transaction.amount == Money(10000, "USD")


@given(st.integers(1, 10**12 - 1), st.booleans())
def test_every_amount_passes_exactly_as_text_or_number(minor: int, as_number: bool) -> None:
    amount: Any = minor if as_number else f"{minor:012d}"
    transaction = read(example("purchase", transaction_amount=amount))
    assert transaction.amount == transaction.billing == Money(minor, "EUR")
    assert transaction.content_hash == read(example("purchase", transaction_amount=str(minor))).content_hash


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("purchase", {"transaction_amount": "0"}, "transaction_amount"),
        ("purchase", {"transaction_amount": "12.30"}, "transaction_amount"),
        ("purchase", {"transaction_amount": 12.3}, "transaction_amount"),
        ("purchase", {"transaction_amount": True}, "transaction_amount"),
        ("purchase", {"transaction_amount": None}, "transaction_amount"),
        ("purchase", {"transaction_currency": "XXX"}, "transaction_currency"),
        ("purchase", {"transaction_currency": "eur"}, "transaction_currency"),
        ("purchase", {"transmission_date_time": "2026-02-30T09:30:00Z"}, "transmission_date_time"),
        ("purchase", {"original_auth": "X1"}, "original_auth"),
        ("purchase", {"pan_last_four": "0044\n"}, "pan_last_four"),
        ("purchase", {"cardholder_billing_amount": "9"}, "cardholder_billing_currency"),
        (
            "purchase",
            {"cardholder_billing_amount": "1231", "cardholder_billing_currency": "EUR"},
            "cardholder_billing_amount",
        ),
        (
            "purchase",
            {
                "cardholder_billing_amount": "1230",
                "cardholder_billing_currency": "EUR",
                "cardholder_billing_conversion_rate": "1.1",
            },
            "cardholder_billing_conversion_rate",
        ),
        ("purchase", {"cardholder_billing_currency": "USD"}, "cardholder_billing_amount"),
        (
            "foreign_purchase",
            {"cardholder_billing_conversion_rate": None},
            "cardholder_billing_conversion_rate",
        ),
        (
            "foreign_purchase",
            {"cardholder_billing_conversion_rate": "0.0"},
            "cardholder_billing_conversion_rate",
        ),
        ("foreign_purchase", {"cardholder_billing_amount": "0"}, "cardholder_billing_amount"),
        ("reversal", {"original_auth": None}, "original_auth"),
        ("reversal", {"original_auth": "E4L1V5GF3P"}, "original_auth"),
        ("partial_reversal", {"replacement_amount": "10000"}, "replacement_amount"),
        ("partial_reversal", {"replacement_billing_amount": "9213"}, "replacement_billing_amount"),
        ("partial_reversal", {"replacement_billing_amount": "0"}, "replacement_billing_amount"),
        ("partial_reversal", {"replacement_billing_amount": None}, "replacement_billing_amount"),
        (
            "reversal",
            {"replacement_amount": "30", "replacement_billing_amount": "31"},
            "replacement_billing_amount",
        ),
        ("purchase", {"expiry": "2801"}, "expiry"),
    ],
)
def test_a_fault_names_its_field(name: str, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as fault:
        read(example(name, **changes))
    assert fault.value.field == field


def test_a_fault_never_repeats_the_value() -> None:
    for field in example("purchase"):
        with pytest.raises(Malformed) as fault:
            read(example("purchase", **{field: "s3cret välue!"}))
        assert "s3cret" not in str(fault.value)


def test_a_card_number_in_any_field_is_refused_and_not_repeated() -> None:
    card_number = pan(1)
    for changes in ({"card_acceptor_id": card_number}, {card_number: "x"}, {"note": int(card_number)}):
        with pytest.raises(Malformed, match="no card number") as fault:
            read(example("purchase", **changes))
        assert card_number not in str(fault.value)


def test_of_several_faults_the_first_in_the_schemas_order_is_named() -> None:
    for changes in ({"home_region": None, "auth": "", "unknown": "x"}, {"home_region": "", "auth": None}):
        with pytest.raises(Malformed) as fault:
            read(example("purchase", **changes))
        assert fault.value.field == "auth"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"card_acceptor_id": "3 " * 195_000}, "card_acceptor_id"),
        ({"note": "3 " * 195_000}, "note"),
        ({"note": {f"n{number}": ["3 3 3 3 3"] for number in range(30_000)}}, "note"),
        ({f"note {number}": "3 " * 400 for number in range(450)}, ""),
        ({"3 " * 30_000: "x"}, None),
    ],
    ids=["known", "unknown", "nested", "many", "name"],
)
def test_a_record_larger_than_any_can_be_is_refused_before_it_is_searched(
    changes: dict[str, Any], field: str | None
) -> None:
    record = example("purchase", **changes)
    began = time.process_time()
    with pytest.raises(Malformed) as fault:
        read(record)
    assert time.process_time() - began < 0.3
    assert field is None or fault.value.field == field
    assert len(fault.value.field) <= 64
    assert long_numbers(str(fault.value)) == []


def test_every_example_is_far_smaller_than_a_record_may_be() -> None:
    records = [json.loads(path.read_text()) for path in EXAMPLES.glob("*.json")]
    assert records
    assert max(len(json.dumps(record)) for record in records) < 3_000
