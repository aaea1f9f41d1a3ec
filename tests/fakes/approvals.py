"""Approved transactions, as the posting queue delivers them, for tests of the ledger."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from postbus.domain.event import Event
from postbus.domain.money import Money
from postbus.domain.posting import Account, PostingInstruction
from postbus.domain.transaction import Kind, Transaction, content_hash

NOON = datetime(2026, 3, 14, 12, 0, 0, 0, UTC)


def account(name: str = "NL-CUR-0001", currency: str = "EUR") -> Account:
    """A customer's account; the internal ones beside it are shared by all of its currency."""
    return Account(
        account_id=name, status="open", currency=currency, type="current",
        suspense_account=f"SUSPENSE-{currency}", head_office_account=f"HEAD-OFFICE-{currency}",
        position_account=f"POSITION-{currency}",
    )  # fmt: skip


ALICE, BOB, CAROL = account(), account("DE-SAV-0002"), account("US-CUR-0003", "USD")


def approval(
    auth: str,
    kind: Kind = Kind.PURCHASE,
    amount: Money | int = 1000,
    billing: Money | None = None,
    of: Account = ALICE,
    to: Account | None = None,
    reverses: str | None = None,
    partial: bool = False,
    replay: str | None = None,
    content: str = "",
) -> Event:
    """TransactionPostingApproved of ``visa-<auth>``.

    Args:
        amount: a bare number is in minor units of EUR.
        reverses: the original's authorisation id.
        content: makes the content hash another one.
    """
    money = Money(amount, "EUR") if isinstance(amount, int) else amount
    transaction = Transaction(
        transaction_id=f"visa-{auth}", source="visa", kind=kind, amount=money, billing=billing or money,
        account_token=f"tok_{of.account_id}", counterparty_token=f"tok_{to.account_id}" if to else None,
        original_transaction_id=f"visa-{reverses}" if reverses else None, partial=partial,
        content_hash=content_hash({"auth": auth, "amount": money.to_data(), "content": content}),
        transmitted_at="2026-03-14T11:59:59Z", home_region="eu-west-1",
    )  # fmt: skip
    data: dict[str, Any] = {
        "transaction": transaction.to_data(),
        "fingerprint": content_hash({"auth": auth}),
        "account": of.to_data(),
        "facts": {"foreign": False, "converted": transaction.converted, "velocity_count": 1},
        "decision": {"ruleset": "2026-03-01.1", "findings": [], "approved_by": "rules"},
    }
    if to is not None:
        data["counterparty"] = to.to_data()
    enriched = Event.first("TransactionEnriched", transaction.transaction_id, f"record:{auth}", NOON, data)
    return replace(enriched.then("TransactionPostingApproved", NOON, data), replay=replay)


def instruction(*args: Any, **details: Any) -> PostingInstruction:
    """The instruction of ``approval(...)``."""
    return PostingInstruction.from_event(approval(*args, **details), NOON)
