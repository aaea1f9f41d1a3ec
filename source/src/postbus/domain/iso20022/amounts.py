"""Amounts as XML Schema decimals, read exactly."""

from dataclasses import dataclass
from decimal import Decimal

from iso4217 import Currency
from lxml.etree import _Element

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.elements import token
from postbus.domain.money import Money, exponent


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why an amount cannot be used: the reason's code, and what was expected."""

    code: str
    expected: str


_ZERO = Unusable("AM01", "an amount of more than zero")
_NO_CURRENCY = Unusable("AM11", "an ISO 4217 currency code")
_NO_MINOR_UNITS = Unusable("AM03", "a currency with minor units, no precious metal, fund or testing code")


def amount(element: _Element) -> Money | Unusable:
    """The amount of an element with ``Ccy``, or why it is none.

    Digits that change nothing, as in ``100.00`` yen, are no fraction: XML Schema counts by value.

    Source: ISO 20022 ActiveCurrencyAndAmount; XML Schema decimal; ISO 4217 minor units.
    """
    currency = element.get("Ccy", "")
    try:
        digits = exponent(currency)
    except Malformed:
        return _NO_MINOR_UNITS if _is_known(currency) else _NO_CURRENCY
    whole, _, fraction = (token(element) or "").lstrip("+-").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        return Unusable("CH20", f"at most {digits} digits after the decimal point in this currency")
    minor = int((whole + fraction.ljust(digits, "0")) or "0")
    return Money(minor, currency) if minor else _ZERO


def decimal(text: str | None) -> Decimal:
    """A schema-valid decimal (which has no exponent), exactly; nothing at all is zero."""
    return Decimal(text or "0")


def _is_known(currency: str) -> bool:
    try:
        Currency(currency)
    except ValueError:
        return False
    return True
