"""From an approved transaction to balanced entries: the recipes of double-entry posting."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, assert_never

from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.event import Event
from postbus.domain.money import Money
from postbus.domain.transaction import Kind, Transaction


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
        texts = (
            "account_id",
            "status",
            "currency",
            "type",
            "suspense_account",
            "head_office_account",
            "position_account",
        )
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
            "account_id": self.account_id,
            "status": self.status,
            "currency": self.currency,
            "type": self.type,
            "suspense_account": self.suspense_account,
            "head_office_account": self.head_office_account,
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
        """Read an approval: ``data.transaction``, ``data.account``, for transfers and their
        returns ``data.counterparty``."""
        counterparty = event.data.get("counterparty")
        return cls(
            cause=event,
            transaction=Transaction.from_event(event),
            account=Account.from_data(event.data.get("account")),
            counterparty=None if counterparty is None else Account.from_data(counterparty, "counterparty"),
            decided_at=decided_at,
        )


class Direction(StrEnum):
    """Which side of the books an entry stands on."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def opposite(self) -> "Direction":
        return Direction.CREDIT if self is Direction.DEBIT else Direction.DEBIT


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a posting.

    Attributes:
        amount: more than zero; the direction says which way it goes.
        shard: which balance item of an internal account; ``None`` for a customer's account, which has one.
    """

    account_id: str
    direction: Direction
    amount: Money
    shard: int | None = None

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise InvariantBroken(f"an entry of {self.amount} on {self.account_id} is not positive")

    @property
    def balance_key(self) -> str:
        """Key of the balance item it moves."""
        return balance_key(self.account_id, self.amount.currency, self.shard)

    @property
    def signed_minor(self) -> int:
        """What it adds to the balance: a credit raises it, a debit lowers it."""
        return self.amount.minor if self.direction is Direction.CREDIT else -self.amount.minor

    def to_data(self) -> dict[str, Any]:
        """The shape of ``data.entries[]`` of TransactionPosted."""
        data: dict[str, Any] = {
            "account": self.account_id,
            "direction": self.direction.value,
            **self.amount.to_data(),
        }
        if self.shard is not None:
            data["shard"] = self.shard
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read one of ``data.entries[]``, as it was written by ``to_data``."""
        return cls(data["account"], Direction(data["direction"]), Money.from_data(data), data.get("shard"))


def balance_key(account_id: str, currency: str, shard: int | None = None) -> str:
    """``<account>#<currency>#<shard>``; 000 where the account has a single balance item."""
    return f"{account_id}#{currency}#{shard or 0:03d}"


def shard_of(posting_id: str, shards: int) -> int:
    """Which of an internal account's balance items a posting moves, and those that are booked along with it.

    The number of shards may grow at any time: an account's balance is the sum of all its items, each entry
    tells the item it moved, and nothing is ever looked up by shard again.  It must not shrink only because
    the load would no longer be spread.
    """
    return int.from_bytes(hashlib.sha256(posting_id.encode()).digest()[:8]) % shards


def imbalance(entries: Iterable[Entry]) -> dict[str, int]:
    """Credits minus debits in minor units of each currency that does not sum to zero; empty when balanced."""
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[entry.amount.currency] += entry.signed_minor
    return {currency: minor for currency, minor in sums.items() if minor}


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries of one posting; it cannot be built unless debits equal credits in every currency."""

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise InvariantBroken("a posting without entries")
        if uneven := imbalance(self.entries):
            raise InvariantBroken(f"a posting that does not balance: {uneven}")


def may_overdraw(kind: Kind) -> bool:
    """Whether a posting of this kind is booked even if the account lacks the money.

    A card payment or withdrawal was authorised: the money is gone, and refusing to book it would only hide
    that.  A reversal corrects what must not stand, whatever has been spent since; for one that can be
    refused, the return of a transfer, the money is set aside before.  A refund only gives.  A transfer has
    not happened until it is booked, so it can still be refused.
    """
    match kind:
        case Kind.PURCHASE | Kind.ATM_WITHDRAWAL | Kind.REFUND | Kind.REVERSAL:
            return True
        case Kind.TRANSFER:
            return False
        case _:
            assert_never(kind)


def journal_of(instruction: PostingInstruction, shard: int) -> Journal:
    """The entries that book an instruction other than a reversal.

    The account's side is booked in the billing amount, the other side in the transaction amount: what the
    scheme, the cash desk or the creditor is owed.  Where their currencies differ, the bank's position in
    each currency takes the other side, so that debits equal credits in both.

    Args:
        shard: of the internal accounts, see ``shard_of``.
    Raises:
        Malformed: a transfer without its counterparty.
        InvariantBroken: a reversal; its entries are its original's, see ``reversal_of``.
    """
    transaction, account = instruction.transaction, instruction.account
    direction = Direction.DEBIT
    far_shard: int | None = None
    match transaction.kind:
        case Kind.PURCHASE:
            far_account, far_shard = account.suspense_account, shard
        case Kind.ATM_WITHDRAWAL:
            far_account, far_shard = account.head_office_account, shard
        case Kind.REFUND:
            direction, far_account, far_shard = Direction.CREDIT, account.suspense_account, shard
        case Kind.TRANSFER:
            if instruction.counterparty is None:
                raise Malformed("counterparty", "present for a transfer")
            far_account = instruction.counterparty.account_id
        case Kind.REVERSAL:
            raise InvariantBroken("a reversal takes its entries from its original")
        case _:
            assert_never(transaction.kind)
    own = Entry(account.account_id, direction, transaction.billing)
    far = Entry(far_account, direction.opposite, transaction.amount, far_shard)
    if not transaction.converted:
        return Journal((own, far))
    position = account.position_account
    return Journal(
        (
            own,
            Entry(position, own.direction.opposite, own.amount, shard),
            Entry(position, far.direction.opposite, far.amount, shard),
            far,
        )
    )


def reversal_of(entries: Iterable[Entry], transaction: Transaction, shard: int) -> Journal:
    """The original's entries, turned around, in the reversal's own amounts.

    Each entry takes the reversal's amount in its currency, so a partial reversal is exact: nothing is
    computed from a ratio.

    Args:
        entries: the original's.
        transaction: the reversal, of the same currencies.
        shard: of the internal accounts; the original may have been booked on another.
    """
    amounts = {amount.currency: amount for amount in (transaction.amount, transaction.billing)}
    return Journal(
        tuple(
            Entry(
                entry.account_id,
                entry.direction.opposite,
                amounts[entry.amount.currency],
                None if entry.shard is None else shard,
            )
            for entry in entries
        )
    )


def funding_of(account: Account, amount: Money, shard: int) -> Journal:
    """The entries that give an account its opening balance, out of its head office account."""
    return Journal(
        (
            Entry(account.head_office_account, Direction.DEBIT, amount, shard),
            Entry(account.account_id, Direction.CREDIT, amount),
        )
    )
