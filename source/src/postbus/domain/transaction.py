"""An authorised transaction, as it travels from the source to the ledger."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.money import Money


class Kind(StrEnum):
    """What kind of posting it asks for; each has one recipe in ``domain/posting.py``."""

    PURCHASE = "purchase"
    ATM_WITHDRAWAL = "atm_withdrawal"
    REFUND = "refund"
    TRANSFER = "transfer"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The facts of one authorisation, the same on every event of its story.

    Attributes:
        transaction_id: ``<source>-<authorisation id>``; free of region, table and time.
        source: inbound source, such as ``visa`` or ``credit_transfers``.
        amount: transaction amount (ISO 8583 DE4); for a reversal, the part to be reversed.
        billing: cardholder billing amount (DE6), in the account's currency; equals ``amount`` at home.
        conversion_rate: decimal text (DE10), billing units per transaction unit; ``None`` without conversion.
        account_token: token of the card (DE2) or of the debtor's account; never the number itself.
        counterparty_token: token of the creditor's account, for transfers and their returns.
        original_transaction_id: the transaction a reversal reverses (from DE90).
        partial: whether a reversal leaves a replacement amount standing (DE95).
        content_hash: of the posting fields; the same id with another hash is a conflict, not a redelivery.
    """

    transaction_id: str
    source: str
    kind: Kind
    amount: Money
    billing: Money
    account_token: str
    content_hash: str
    transmitted_at: str
    home_region: str
    conversion_rate: str | None = None
    counterparty_token: str | None = None
    original_transaction_id: str | None = None
    partial: bool = False
    pan_last_four: str | None = None
    message_type: str | None = None
    processing_code: str | None = None
    local_time: str | None = None
    stan: str | None = None
    rrn: str | None = None
    merchant_category_code: str | None = None
    merchant_id: str | None = None
    merchant_country: str | None = None
    terminal_id: str | None = None
    acquirer_country: str | None = None
    acquiring_institution_id: str | None = None
    pos_entry_mode: str | None = None
    end_to_end_id: str | None = None

    def __post_init__(self) -> None:
        if self.amount.minor <= 0 or self.billing.minor <= 0:
            raise Malformed("transaction.amount", "more than zero")
        if self.kind is Kind.TRANSFER and self.counterparty_token is None:
            raise Malformed("transaction.counterparty_token", "present for a transfer")
        if self.kind not in (Kind.TRANSFER, Kind.REVERSAL) and self.counterparty_token is not None:
            raise Malformed("transaction.counterparty_token", "for transfers and their returns only")
        if (self.kind is Kind.REVERSAL) != (self.original_transaction_id is not None):
            raise Malformed("transaction.original_transaction_id", "present for reversals, and only for them")
        if self.partial and self.kind is not Kind.REVERSAL:
            raise Malformed("transaction.partial", "true only for reversals")
        if self.amount.currency == self.billing.currency and self.amount != self.billing:
            raise Malformed("transaction.billing", "equal to amount when the currency is the same")

    @property
    def converted(self) -> bool:
        """Whether the billing currency is another than the transaction's."""
        return self.amount.currency != self.billing.currency

    def to_data(self) -> dict[str, Any]:
        """The ``data.transaction`` object of every event; absent facts are left out."""
        data: dict[str, Any] = {}
        for attribute in fields(self):
            value = getattr(self, attribute.name)
            if isinstance(value, Money):
                value = value.to_data()
            elif isinstance(value, Kind):
                value = value.value
            if value is not None and value is not False:
                data[attribute.name] = value
        return data

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Read a ``data.transaction`` object.

        Raises:
            Malformed: names the field; unknown names are refused, so that nothing is dropped unseen.
        """
        if not isinstance(data, Mapping):
            raise Malformed("transaction", "an object")
        known = {attribute.name: attribute for attribute in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name not in known:
                raise Malformed(f"transaction.{name}", "no such field")
            if name in ("amount", "billing"):
                value = Money.from_data(value, f"transaction.{name}")
            elif name == "partial":
                if value is not True and value is not False:
                    raise Malformed("transaction.partial", "true or false")
            elif not isinstance(value, str) or not value:
                raise Malformed(f"transaction.{name}", "non-empty text")
            values[name] = value
        try:
            values["kind"] = Kind(values.get("kind", ""))
        except ValueError:
            raise Malformed("transaction.kind", "one of " + ", ".join(Kind)) from None
        try:
            return cls(**values)
        except TypeError as error:
            raise Malformed("transaction", str(error).split("missing ", 1)[-1]) from None

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """The transaction an event tells of (``data.transaction``)."""
        return cls.from_data(event.data.get("transaction"))


def content_hash(posting_fields: Mapping[str, Any]) -> str:
    """Hash of what is to be posted: 32 hexadecimal digits of the SHA-256 of the canonical JSON."""
    canonical = json.dumps(posting_fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
