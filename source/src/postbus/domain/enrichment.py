"""From what the directories know to the facts the rules judge by, or to a rejection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.posting import Account
from postbus.domain.transaction import Kind, Transaction

# What spends from an account; a refund or a reversal makes nobody's card look busy.
COUNTED_KINDS = frozenset({Kind.PURCHASE, Kind.ATM_WITHDRAWAL, Kind.TRANSFER})

# The velocity of a token is counted as far as this; a rule's limit must lie below.
MOST_COUNTED = 120

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enriched:
    """What TransactionEnriched adds to the authorised transaction's data."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why the transaction can never be posted.

    Attributes:
        code: for programs, such as ``ACCOUNT_CLOSED``.
        text: for people.
    """

    code: str
    text: str

    def to_data(self, transaction: Transaction) -> dict[str, Any]:
        """The ``data`` of TransactionRejected."""
        return {
            "transaction": transaction.to_data(),
            "reason": {"code": self.code, "text": self.text},
            "findings": [],
        }


def decide(
    transaction: Transaction,
    account: Record | None,
    counterparty: Record | None,
    merchant: Record | None,
    velocity_count: int,
) -> Enriched | Rejection:
    """The transaction's facts, or why it cannot go on.

    Args:
        account: the accounts record of its token; ``None`` if there is none.
        counterparty: of a transfer's creditor, who with a return gives the money back.
        merchant: the merchants record of its merchant id; ``None`` for one nobody knows, which is no fault.
    Raises:
        Malformed: an accounts record lacks what a posting needs; whoever keeps the table must act.
    """
    own = _open_account("account", "the account", account)
    if isinstance(own, Rejection):
        return own
    if own.currency != transaction.billing.currency:
        return _mismatch("the account", own.currency, transaction.billing.currency)
    data: dict[str, Any] = {"account": own.to_data()}
    if transaction.counterparty_token is not None:
        other = _open_account("counterparty", "the creditor's account", counterparty)
        if isinstance(other, Rejection):
            return other
        if other.currency != transaction.amount.currency:
            return _mismatch("the creditor's account", other.currency, transaction.amount.currency)
        data["counterparty"] = other.to_data()
    if transaction.merchant_id is not None:
        data["merchant"] = _merchant(transaction.merchant_id, merchant or {})
    data["facts"] = {
        "foreign": is_foreign(transaction, account or {}),
        "converted": transaction.converted,
        "velocity_count": velocity_count,
    }
    return Enriched(data)


def is_foreign(transaction: Transaction, account: Record) -> bool:
    """Whether it was made in another country or another currency than the account's.

    The account's country is its ``country``, else that of its IBAN; unknown, only the currency tells.
    """
    country = account.get("country") or str(account.get("iban", ""))[:2]
    abroad = {transaction.merchant_country, transaction.acquirer_country} - {None, country}
    return transaction.converted or bool(country and abroad)


def _open_account(field: str, what: str, record: Record | None) -> Account | Rejection:
    """The account, if it can be posted to at all.

    Reversals are no exception: on a blocked account nothing moves, and an officer books what is owed.
    """
    if record is None:
        return Rejection(f"{field.upper()}_UNKNOWN", f"{what}: no account has this token")
    account = Account.from_data(record, field)
    if account.status not in ("open", "blocked", "closed"):
        raise Malformed(f"{field}.status", "open, blocked or closed")
    if account.status != "open":
        return Rejection(f"{field.upper()}_{account.status.upper()}", f"{what} is {account.status}")
    return account


def _mismatch(what: str, kept_in: str, asked: str) -> Rejection:
    return Rejection("CURRENCY_MISMATCH", f"{what} is kept in {kept_in}, the amount is in {asked}")


def _merchant(merchant_id: str, known: Record) -> dict[str, Any]:
    return {"id": merchant_id, **{name: known[name] for name in ("name", "status") if known.get(name)}}
