"""Stories of made-up payments, event by event, for tests of whoever reads them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from postbus.domain import rules
from postbus.domain.event import Event
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.rules import Evaluation, Finding, Severity
from postbus.domain.settlement import NOTHING, Decide, settle
from postbus.domain.transaction import Kind, Transaction, content_hash
from tests.fakes.approvals import ALICE, NOON, instruction

HIGH_AMOUNT = Finding("high-amount", "HIGH_AMOUNT", Severity.HOLD, "above what is posted unseen")
DUPLICATE = Finding("suspected-duplicate", "SUSPECTED_DUPLICATE", Severity.HOLD, "has been here before")
WATCHED = Finding("watched-merchant", "WATCHED_MERCHANT", Severity.WARN, "worth a look")
BLOCKED = Finding("blocked-merchant", "BLOCKED_MERCHANT", Severity.REFUSE, "nobody pays there")


def transaction(auth: str = "A1", minor: int = 1250) -> Transaction:
    money = Money(minor, "EUR")
    return Transaction(
        transaction_id=f"visa-{auth}", source="visa", kind=Kind.PURCHASE, amount=money, billing=money,
        account_token="tok_alice", pan_last_four="4242",
        content_hash=content_hash({"auth": auth, "minor": minor}),
        transmitted_at="2026-03-14T11:59:59Z", home_region="eu-central-1",
    )  # fmt: skip


def authorized(auth: str = "A1", at: datetime = NOON, **more: Any) -> Event:
    paid = transaction(auth)
    data = {"transaction": paid.to_data(), "fingerprint": content_hash({"auth": auth}), **more}
    return Event.first("TransactionAuthorized", paid.transaction_id, f"record:{paid.content_hash}", at, data)


def enriched(before: Event, after: float = 0.1) -> Event:
    facts = {"foreign": False, "converted": False, "velocity_count": 1}
    data = {**before.data, "account": ALICE.to_data(), "facts": facts}
    return before.then("TransactionEnriched", before.occurred_at + timedelta(seconds=after), data)


def approved(before: Event, after: float = 0.2) -> Event:
    return rules.approval(before, Evaluation((), "r1"), before.occurred_at + timedelta(seconds=after))


def posted(before: Event, after: float = 0.1) -> Event:
    paid = Transaction.from_event(before)
    amount = {"amount": str(paid.amount.minor), "currency": "EUR"}
    data = {
        "source": "visa", "kind": "purchase", "amount": amount, "billing": amount, "ledger": "dynamodb",
        "posting_id": paid.transaction_id, "content_hash": paid.content_hash,
        "entries": [
            {"account": ALICE.account_id, "direction": "debit", **amount},
            {"account": ALICE.suspense_account, "direction": "credit", **amount, "shard": 3},
        ],
    }  # fmt: skip
    return before.then("TransactionPosted", before.occurred_at + timedelta(seconds=after), data)


def paid(auth: str = "A1", at: datetime = NOON) -> list[Event]:
    """The story of a payment that went straight through."""
    first = authorized(auth, at)
    second = enriched(first)
    third = approved(second)
    return [first, second, third, posted(third)]


def held(
    auth: str = "A1", *findings: Finding, at: datetime = NOON, **more: Any
) -> tuple[list[Event], Outcome]:
    """The story of a payment that was held, and its outcome."""
    first = authorized(auth, at, **more)
    second = enriched(first)
    evaluation = Evaluation(findings or (HIGH_AMOUNT,), "r1", trace={})
    outcome = rules.objection(second, evaluation, None, second.occurred_at + timedelta(seconds=0.2))
    return [first, second, outcome.announcement()], outcome


def came_first(auth: str = "A1", fits: bool = False) -> tuple[Outcome, Outcome]:
    """The outcomes of a reversal that came before ``visa-<auth>`` was seen, and of that.

    Args:
        fits: whether it is what the reversal takes back.
    """
    plan = settle(instruction(f"R-{auth}", Kind.REVERSAL, reverses=auth), NOTHING, NOTHING, 0)
    assert isinstance(plan, Decide)
    own, original = plan.outcomes
    if fits:
        data = transaction(auth).to_data()
        expected = {name: data[name] for name in ("account_token", "amount", "billing")}
        original = replace(original, context={"taken_back": expected})
    return own, original


class RecordingBus:
    """``ports.EventBus`` that keeps what was published; ``refuses`` names the types it will not take."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.refuses: set[str] = set()

    def publish(self, events: Any) -> Mapping[str, str]:
        refused = {event.event_id: "busy" for event in events if event.type in self.refuses}
        self.published += [event for event in events if event.event_id not in refused]
        return refused

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.published]
