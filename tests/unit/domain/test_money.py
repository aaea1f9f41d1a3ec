"""Money is exact or it is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import Malformed
from postbus.domain.money import Money, exponent

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLF"])


@given(st.integers(0, 10**17), CURRENCIES)
def test_text_and_data_round_trip(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.text(), currency) == money
    assert Money.from_data(money.to_data()) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.30", "EUR", 1230),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("12", "JPY", 12),
        ("1.234", "KWD", 1234),
    ],
)
def test_major_units_become_minor_units(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency).minor == minor


@pytest.mark.parametrize(
    "text", ["12.345", "1e3", "-1", "+1", " 1", "1 ", "1,00", "", "NaN", ".5", "١٢", "0x1"]
)
def test_what_is_not_exactly_an_amount_is_refused_and_never_rounded(text: str) -> None:
    with pytest.raises(Malformed):
        Money.parse(text, "EUR")


@pytest.mark.parametrize("currency", ["XAU", "XXX", "eur", "ZZZ", ""])
def test_a_code_without_minor_units_is_refused(currency: str) -> None:
    with pytest.raises(Malformed):
        exponent(currency)


@pytest.mark.parametrize("minor", [1.0, True, Decimal(1), "1"])
def test_minor_units_are_an_integer_and_nothing_like_one(minor: object) -> None:
    with pytest.raises(Malformed):
        Money(minor, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"amount": 1230, "currency": "EUR"}, "billing.amount"),
        ({"amount": "12.30", "currency": "EUR"}, "billing.amount"),
        ({"amount": "-1", "currency": "EUR"}, "billing.amount"),
        ({"amount": "1"}, "billing.currency"),
        ({"amount": "1", "currency": "ZZZ"}, "billing.currency"),
        ("12.30", "billing"),
    ],
)
def test_an_error_names_the_field(data: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        Money.from_data(data, "billing")
    assert caught.value.field == field
