"""The check of a conversion: exact, and lenient only where rounding is."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from postbus.domain.conversion import Conversion, check, pair_of
from postbus.domain.errors import Malformed
from postbus.domain.money import Money, exponent
from postbus.domain.transaction import Kind, Transaction


def purchase(amount: Money, billing: Money) -> Transaction:
    return Transaction(
        transaction_id="visa-A1",
        source="visa",
        kind=Kind.PURCHASE,
        amount=amount,
        billing=billing,
        account_token="tok_a",
        content_hash="0" * 32,
        transmitted_at="2026-01-31T12:00:00Z",
        home_region="eu-central-1",
    )


@pytest.mark.parametrize(
    ("amount", "billing", "rate", "deviation"),
    [
        (("USD", 10_000), ("EUR", 9_213), "0.9213", 0),
        (("USD", 10_000), ("EUR", 9_397), "0.9213", 200),  # 199.7 and rounded up
        (("USD", 10_000), ("EUR", 9_398), "0.9213", 201),
        (("USD", 10_000), ("EUR", 9_028), "0.9213", 201),
        (("JPY", 10_000), ("EUR", 6_100), "0.0061", 0),  # no minor units there, two here
        (("EUR", 6_100), ("JPY", 10_000), "163.934426", 0),
        (("EUR", 100), ("KWD", 333), "0.333", 0),  # three here
        (("USD", 1), ("EUR", 1), "0.9213", 0),  # a cent cannot be billed more exactly
        (("USD", 1), ("EUR", 2), "0.9213", 11_709),
        (("USD", 1), ("EUR", 10**18 - 1), "0.0000000001", 1_000_000),
    ],
)
def test_the_deviation_is_exact_and_rounded_up(
    amount: tuple[str, int], billing: tuple[str, int], rate: str, deviation: int
) -> None:
    transaction = purchase(Money(amount[1], amount[0]), Money(billing[1], billing[0]))
    assert check(transaction, rate) == Conversion("checked", f"{amount[0]}/{billing[0]}", rate, deviation)


@given(
    minor=st.integers(1, 10**12),
    rate=st.decimals("0.0001", "9999", places=6),
    rounding=st.sampled_from([ROUND_HALF_EVEN, ROUND_DOWN, ROUND_UP]),
    pair=st.sampled_from([("USD", "EUR"), ("JPY", "EUR"), ("EUR", "JPY"), ("KWD", "JPY")]),
)
def test_a_billing_amount_rounded_any_way_does_not_deviate(
    minor: int, rate: Decimal, rounding: str, pair: tuple[str, str]
) -> None:
    shift = exponent(pair[1]) - exponent(pair[0])
    billed = int((minor * rate).scaleb(shift).quantize(Decimal(1), rounding))
    assume(0 < billed < 10**18)
    transaction = purchase(Money(minor, pair[0]), Money(billed, pair[1]))
    assert check(transaction, str(rate)).deviation_basis_points == 0


@pytest.mark.parametrize("rate", ["", "0", "0.0", "-1", "1e3", "NaN", "1,5", "٣", 0.92, 1, {}])
def test_a_rate_that_is_no_number_above_zero_is_a_finding_and_no_error(rate: object) -> None:
    transaction = purchase(Money(100, "USD"), Money(92, "EUR"))
    assert check(transaction, rate) == Conversion("rate_unusable", "USD/EUR")


def test_a_missing_rate_is_a_finding_and_no_error() -> None:
    transaction = purchase(Money(100, "USD"), Money(92, "EUR"))
    assert pair_of(transaction) == "USD/EUR"
    assert check(transaction, None) == Conversion("rate_missing", "USD/EUR")


@pytest.mark.parametrize(
    "conversion", [Conversion("checked", "USD/EUR", "0.92", 12), Conversion("rate_missing", "USD/EUR")]
)
def test_a_check_survives_its_way_through_the_workflow(conversion: Conversion) -> None:
    assert Conversion.from_data(conversion.to_data()) == conversion


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "conversion.status"),
        ("checked", "conversion.status"),
        ({"status": "fine", "pair": "USD/EUR", "deviation_basis_points": 0}, "conversion.status"),
        (
            {"status": "checked", "pair": "USD/EUR", "deviation_basis_points": -1},
            "conversion.deviation_basis_points",
        ),
        (
            {"status": "checked", "pair": "USD/EUR", "deviation_basis_points": True},
            "conversion.deviation_basis_points",
        ),
        ({"status": "checked", "deviation_basis_points": 0}, "conversion.pair"),
    ],
)
def test_a_check_that_is_none_names_its_field(data: object, field: str) -> None:
    with pytest.raises(Malformed) as raised:
        Conversion.from_data(data)
    assert raised.value.field == field
