"""Whether a billing amount is what the rate table makes of the transaction amount, computed exactly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Self

from postbus.domain.errors import Malformed
from postbus.domain.money import exponent
from postbus.domain.transaction import Transaction

CHECKED = "checked"
RATE_MISSING = "rate_missing"
RATE_UNUSABLE = "rate_unusable"

_RATE = re.compile(r"\d{1,8}(\.\d{1,10})?", re.ASCII)

# Beyond a hundredfold nobody cares how far, and decision tables compute with 28 digits.
_LARGEST_DEVIATION_BASIS_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Conversion:
    """The check of one conversion.

    Attributes:
        status: ``checked``, ``rate_missing`` or ``rate_unusable``.
        pair: transaction currency/billing currency, such as ``USD/EUR``.
        rate: decimal text from the rate table, billing units per transaction unit.
        deviation_basis_points: how far the billing amount is from amount x rate, rounded up, so that a whole
            tolerance compares exactly; 0 within one minor unit, which rounding alone explains; at most
            1,000,000.
    """

    status: str
    pair: str
    rate: str | None = None
    deviation_basis_points: int = 0

    @classmethod
    def from_data(cls, data: Any) -> Self | None:
        """Read what ``to_data`` gave; ``None`` stays ``None``.

        Raises:
            Malformed: names the field.
        """
        if data is None:
            return None
        if not isinstance(data, Mapping) or data.get("status") not in (CHECKED, RATE_MISSING, RATE_UNUSABLE):
            raise Malformed("conversion.status", f"{CHECKED}, {RATE_MISSING} or {RATE_UNUSABLE}")
        deviation = data.get("deviation_basis_points")
        if type(deviation) is not int or deviation < 0:
            raise Malformed("conversion.deviation_basis_points", "a whole number, not negative")
        if not isinstance(data.get("pair"), str):
            raise Malformed("conversion.pair", "text such as USD/EUR")
        return cls(data["status"], data["pair"], data.get("rate"), deviation)

    def to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "status": self.status,
            "pair": self.pair,
            "deviation_basis_points": self.deviation_basis_points,
        }
        if self.rate is not None:
            data["rate"] = self.rate
        return data


def pair_of(transaction: Transaction) -> str:
    """The rate table's key: ``USD/EUR`` for a dollar amount billed in euros."""
    return f"{transaction.amount.currency}/{transaction.billing.currency}"


def check(transaction: Transaction, rate: Any) -> Conversion:
    """Compare the billing amount with amount x rate.

    Args:
        rate: the rate table's decimal text, or ``None`` when it has none for the pair.
    Returns:
        The check; a missing or unusable rate is a finding for the rules, not an error.
    """
    pair = pair_of(transaction)
    if rate is None:
        return Conversion(RATE_MISSING, pair)
    if not isinstance(rate, str) or not _RATE.fullmatch(rate) or Fraction(rate) == 0:
        return Conversion(RATE_UNUSABLE, pair)
    amount, billing = transaction.amount, transaction.billing
    scale = Fraction(10) ** (exponent(billing.currency) - exponent(amount.currency))
    expected = amount.minor * Fraction(rate) * scale
    off_by = abs(billing.minor - expected)
    deviation = 0 if off_by < 1 else ceil(off_by / expected * 10_000)
    return Conversion(CHECKED, pair, rate, min(deviation, _LARGEST_DEVIATION_BASIS_POINTS))
