"""What every inbound source does with a record: check it, then map it."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from postbus.domain import card_numbers
from postbus.domain.errors import Malformed
from postbus.domain.money import Money
from postbus.domain.transaction import Transaction

APPROVED = "APPROVED"

NO_CARD_NUMBER = "no card number (13 to 19 digits that pass the Luhn check)"

# Ten times what the longest field may have, and more than all of them together.  Beyond that it is malformed
# whatever it holds, and is not searched for card numbers, which would take the neighbours' time.
_MOST_OF_A_VALUE = 1_000
_MOST_OF_A_RECORD = 10_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MOST_OF_A_NAME = 64


class RecordSchema:
    """The JSON Schema of a source's records, and its faults in words.

    A fault's words come from the schema's descriptions and never from the value, which may be anything.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
        self._validator = Draft202012Validator(dict(schema))

    @property
    def fields(self) -> Collection[str]:
        """The names of the fields that a record may have."""
        return self._properties.keys()

    def check(self, record: Mapping[str, Any]) -> None:
        """Accept the record or raise Malformed for its first fault, in the order of the schema's fields."""
        self._check_size(record)
        for found in card_numbers.places(record):
            raise Malformed(found, f"{NO_CARD_NUMBER}: send its token")
        faults = [self._fault(error) for error in self._validator.iter_errors(record)]
        if faults:
            raise min(faults, key=self._position)
        for name, value in record.items():
            # A pattern's ``$`` lets a trailing line break through.
            if isinstance(value, str) and _CONTROL.search(value):
                raise Malformed(name, "no control characters")

    def _fault(self, error: ValidationError) -> Malformed:
        record: Any = error.instance  # the record itself, for the three kinds asked about here
        rule: Any = error.validator_value
        match error.validator:
            case "required":
                return self._missing(record, rule)
            case "dependentRequired":
                return self._missing(record, [need for name in rule if name in record for need in rule[name]])
            case "additionalProperties":
                return self._unknown(min(record.keys() - self._properties.keys()))
        field = str(error.absolute_path[0]) if error.absolute_path else ""
        return Malformed(field, self._expected(field) if field else "an object of named fields")

    def _check_size(self, record: Mapping[str, Any]) -> None:
        whole = 0
        for name, value in record.items():
            size = _size(value)
            if max(len(name), size) > _MOST_OF_A_VALUE:
                known = name in self._properties
                raise Malformed(name, self._expected(name)) if known else self._unknown(name)
            whole += len(name) + size
        if whole > _MOST_OF_A_RECORD:
            raise Malformed("", f"a record of at most {_MOST_OF_A_RECORD} characters")

    def _unknown(self, name: str) -> Malformed:
        shown = card_numbers.without_long_numbers(name)
        return Malformed(_CONTROL.sub("?", shown)[:_MOST_OF_A_NAME], "no such field")

    def _missing(self, record: Mapping[str, Any], needed: Sequence[str]) -> Malformed:
        missing = next(name for name in needed if name not in record)
        return Malformed(missing, f"required: {self._expected(missing)}")

    def _expected(self, field: str) -> str:
        return str(self._properties[field]["description"])

    def _position(self, fault: Malformed) -> tuple[int, str]:
        known = list(self._properties)
        return (known.index(fault.field) if fault.field in known else len(known), fault.field)


def _size(value: Any) -> int:
    """How many characters there are to search, of members and their names; a number has up to 40."""
    if isinstance(value, Mapping):
        return 1 + sum(len(name) + _size(member) for name, member in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return 1 + sum(map(_size, value))
    return len(value) if isinstance(value, str) else 40


@dataclass(frozen=True, slots=True)
class Source:
    """One way in.

    Attributes:
        name: also the name of its table, its pipe, and the first part of its transaction ids.
        key: the attribute that is the table's key.
        to_transaction: maps a record that its schema accepts; raises Malformed for what a schema cannot say.
        fingerprint_fields: what makes two records of this source the same business: attributes of
            ``Transaction``, or ``message_class``.
    """

    name: str
    key: str
    to_transaction: Callable[[Mapping[str, Any]], Transaction]
    fingerprint_fields: tuple[str, ...]

    def read(
        self,
        image: Mapping[str, Any],
        decode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        schema: RecordSchema,
    ) -> Transaction | Malformed:
        """The record's transaction, or the fault that keeps it out: a value, so that its neighbours go on."""
        try:
            record = decode(image)
            schema.check(record)
            return self.to_transaction(record)
        except Malformed as fault:
            return fault


def money(record: Mapping[str, Any], amount: str, currency: str) -> Money:
    """The amount in ``record[amount]``, more than zero, of the currency in ``record[currency]``."""
    value = Money(amount_minor(record, amount), currency_code(record, currency))
    if value.minor <= 0:
        raise Malformed(amount, "more than zero")
    return value


def amount_minor(record: Mapping[str, Any], field: str) -> int:
    """Minor units: digits in text (leading zeros allowed) or a whole number, as the schema has checked."""
    return int(record[field])


def currency_code(record: Mapping[str, Any], field: str) -> str:
    code: str = record[field]
    try:
        Money(0, code)
    except Malformed:
        raise Malformed(field, "an ISO 4217 alphabetic code with minor units") from None
    return code


def converted(
    record: Mapping[str, Any], amount: Money, billing_amount: str, billing_currency: str, rate: str
) -> tuple[Money, str | None]:
    """The amount in the account's currency and the rate it was converted at.

    Without a billing amount, or in the same currency, it is the transaction's own amount and has no rate.
    """
    currency = currency_code(record, billing_currency) if billing_currency in record else amount.currency
    if currency == amount.currency:
        if billing_amount in record and amount_minor(record, billing_amount) != amount.minor:
            raise Malformed(billing_amount, "the transaction's own amount when the currency is the same")
        if rate in record and Decimal(record[rate]) != 1:
            raise Malformed(rate, "absent, or 1, when the currency is the same")
        return amount, None
    for needed in (billing_amount, rate):
        if needed not in record:
            raise Malformed(needed, "required when the currencies differ")
    return money(record, billing_amount, billing_currency), record[rate]
