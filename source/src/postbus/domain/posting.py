"""From an approved transaction to balanced entries: the recipes of double-entry posting."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Account:
    """The facts about an account that an enriched event carries (``data.account``, ``data.counterparty``).

    Attributes:
        account_id: the ledger's account id.
        status: ``open``, ``blocked`` or ``closed``.
        currency: ISO 4217; what the account is kept in.
        suspense_account: internal account a card posting is settled against.
        head_office_account: internal account cash and corrections go through.
        position_account: internal account currency positions are kept in.
        holds: codes of holds an officer has placed on the account.
    """

    account_id: str
    status: str
    currency: str
    type: str
    suspense_account: str
    head_office_account: str
    position_account: str
    tax_category: str | None = None
    holds: tuple[str, ...] = ()

    @classmethod
    def from_data(cls, data: Any, field: str = "account") -> Self:
        """Read ``data.account``; raises Malformed naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed(field, "an object")
        texts = ("account_id", "status", "currency", "type", "suspense_account", "head_office_account",
                 "position_account")
        for name in texts:
            if not isinstance(data.get(name), str) or not data[name]:
                raise Malformed(f"{field}.{name}", "non-empty text")
        return cls(
            **{name: data[name] for name in texts},
            tax_category=data.get("tax_category"),
            holds=tuple(data.get("holds", ())),
        )

    def to_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "account_id": self.account_id, "status": self.status, "currency": self.currency, "type": self.type,
            "suspense_account": self.suspense_account, "head_office_account": self.head_office_account,
            "position_account": self.position_account,
        }
        if self.tax_category:
            data["tax_category"] = self.tax_category
        if self.holds:
            data["holds"] = list(self.holds)
        return data


@dataclass(frozen=True, slots=True)
class PostingInstruction:
    """What TransactionPostingApproved asks the ledger to book.

    Attributes:
        cause: the approval event; the outcome's identifiers derive from it.
        decided_at: the poster's clock, the time of booking.
    """

    cause: Event
    transaction: Transaction
    account: Account
    counterparty: Account | None
    decided_at: datetime

    @classmethod
    def from_event(cls, event: Event, decided_at: datetime) -> Self:
        """Read an approval: ``data.transaction``, ``data.account`` and, for transfers, ``data.counterparty``."""
        counterparty = event.data.get("counterparty")
        return cls(
            cause=event,
            transaction=Transaction.from_event(event),
            account=Account.from_data(event.data.get("account")),
            counterparty=None if counterparty is None else Account.from_data(counterparty, "counterparty"),
            decided_at=decided_at,
        )
