"""Money: an integer of minor units and an ISO 4217 currency, exactly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

from iso4217 import Currency

from postbus.domain.errors import Malformed

_PLAIN_DECIMAL = re.compile(r"\d{1,18}(\.\d{1,5})?", re.ASCII)
_MINOR_UNITS = re.compile(r"\d{1,18}", re.ASCII)


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Number of fraction digits of an ISO 4217 currency, as in ``exponent("JPY") == 0``.

    Raises:
        Malformed: not an alphabetic code, or a code without minor units (gold, testing codes).
    """
    try:
        digits = Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise Malformed("currency", f"an ISO 4217 alphabetic code with minor units, not {currency!r}")
    return int(digits)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount of one currency.  ``minor`` may be negative (a balance), never fractional."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise Malformed("amount", f"an integer of minor units, not {self.minor!r}")
        exponent(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read a decimal amount such as ``"12.30"``, exactly or not at all.

        Args:
            text: plain decimal notation in major units, ``.`` as the point, no sign.
            currency: ISO 4217 alphabetic code.
        Returns:
            The amount in minor units: ``parse("12.3", "EUR").minor == 1230``.
        Raises:
            Malformed: not a plain decimal, unknown currency, or more fraction digits than the currency has.
        Source: ISO 20022 ActiveCurrencyAndAmount; ISO 4217 minor units.
        """
        if not _PLAIN_DECIMAL.fullmatch(text):
            raise Malformed("amount", f"a plain decimal such as 12.30, not {text!r}")
        scaled = Decimal(text).scaleb(exponent(currency))
        if scaled != scaled.to_integral_value():
            raise Malformed("amount", f"at most {exponent(currency)} fraction digits for {currency}")
        return cls(int(scaled), currency)

    @classmethod
    def from_data(cls, data: Any, field: str = "amount") -> Self:
        """Read ``{"amount": "1230", "currency": "EUR"}``, the shape used on every event.

        Raises:
            Malformed: names ``field``; not that shape, not digits only, or an unknown currency.
        """
        if not isinstance(data, Mapping):
            raise Malformed(field, "an object with amount (minor units, as text) and currency")
        amount, currency = data.get("amount"), data.get("currency")
        if not isinstance(amount, str) or not _MINOR_UNITS.fullmatch(amount):
            raise Malformed(f"{field}.amount", "minor units as text of 1 to 18 digits")
        if not isinstance(currency, str):
            raise Malformed(f"{field}.currency", "an ISO 4217 alphabetic code")
        try:
            return cls(int(amount), currency)
        except Malformed as error:
            raise Malformed(f"{field}.currency", error.expected) from None

    def to_data(self) -> dict[str, str]:
        """The shape used on every event: integer minor units in a string, plus the currency."""
        return {"amount": str(self.minor), "currency": self.currency}

    def text(self) -> str:
        """For people: ``Money(1230, "EUR").text() == "12.30"``."""
        digits = exponent(self.currency)
        return str(Decimal(self.minor).scaleb(-digits)) if digits else str(self.minor)

    def __str__(self) -> str:
        return f"{self.text()} {self.currency}"
