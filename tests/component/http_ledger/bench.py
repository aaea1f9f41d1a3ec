"""An http ledger on a real posting system, with outcomes in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from postbus.adapters.http_exchange import Deadlines, Exchange
from postbus.adapters.http_ledger import HttpLedger
from postbus.adapters.posting_system import PostingSystem
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import Outcome
from postbus.domain.posting import Account, PostingInstruction
from postbus.domain.transaction import Kind, Transaction
from postbus.ports import Answer
from tests.servers.misbehaving_ledger import MisbehavingLedger

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CONTENT = "0123456789abcdef0123456789abcdef"
# Long enough for a loaded machine, short enough for a suite of time-outs.
DEADLINES = Deadlines(connect=1.0, total=0.4)


@dataclass
class Outcomes:
    """The outcome items, by the lifecycle's own rules."""

    items: dict[str, Outcome] = field(default_factory=dict)
    crash_before: OutcomeState | None = None
    history: list[tuple[str, OutcomeState]] = field(default_factory=list)

    def find(self, transaction_id: str) -> Outcome | None:
        return self.items.get(transaction_id)

    def decide(self, wanted: Outcome) -> Outcome:
        if wanted.state is self.crash_before:
            self.crash_before = None
            raise ConnectionAbortedError("the function was killed here")
        stored = self.items.get(wanted.transaction_id)
        if (stored.state if stored else None) not in wanted.may_replace:
            assert stored is not None
            return stored
        self.items[wanted.transaction_id] = wanted
        self.history.append((wanted.transaction_id, wanted.state))
        return wanted

    def in_state(self, state: OutcomeState) -> Iterator[Outcome]:
        return iter([outcome for outcome in self.items.values() if outcome.state is state])

    def unannounced(self) -> Iterator[Outcome]:
        return iter(())

    def announced(self, outcome: Outcome) -> None:
        pass


@dataclass
class Credentials:
    token: str = "token-1"
    next_token: str = "token-1"

    def authorization(self) -> str:
        return f"Bearer {self.token}"

    def renew(self) -> None:
        self.token = self.next_token


class Clock:
    """Stands still unless told to move."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def account(identifier: str = "acc-1", currency: str = "EUR") -> Account:
    return Account(
        account_id=identifier,
        status="open",
        currency=currency,
        type="current",
        suspense_account="suspense",
        head_office_account="head-office",
        position_account="position",
    )


def approval(transaction_id: str = "visa-1", **facts: object) -> PostingInstruction:
    """An approved purchase of 12.30 EUR, or whatever the facts make of it."""
    values: dict[str, object] = {
        "source": "visa",
        "kind": Kind.PURCHASE,
        "amount": Money(1230, "EUR"),
        "billing": Money(1230, "EUR"),
        "account_token": "tok-1",
        "content_hash": CONTENT,
        "transmitted_at": "2026-01-31T11:59:00.000Z",
        "home_region": "eu-central-1",
        **facts,
    }
    transaction = Transaction(transaction_id=transaction_id, **values)  # type: ignore[arg-type]
    data = {"transaction": transaction.to_data(), "account": account().to_data()}
    if transaction.kind is Kind.TRANSFER:
        data["counterparty"] = account("acc-2").to_data()
    first = Event.first("TransactionAuthorized", transaction_id, f"record:{CONTENT}", NOON, {})
    return PostingInstruction.from_event(first.then("TransactionPostingApproved", NOON, data), NOON)


def reversal(of: str, minor: int = 1230, partial: bool = False, name: str = "") -> PostingInstruction:
    amount = Money(minor, "EUR")
    return approval(
        name or f"reversal-of-{of}",
        kind=Kind.REVERSAL,
        original_transaction_id=of,
        partial=partial,
        amount=amount,
        billing=amount,
    )


@dataclass
class Bench:
    """The ledger under test, the posting system behind it and the outcomes beside it."""

    system: MisbehavingLedger
    outcomes: Outcomes
    credentials: Credentials
    clock: Clock

    def ledger(self) -> HttpLedger:
        """A ledger of a process just started: no connection, no memory."""
        exchange = Exchange(self.system.url, DEADLINES)
        return HttpLedger(self.outcomes, PostingSystem(exchange, self.credentials, self.clock))

    def post(self, *instructions: PostingInstruction) -> Sequence[Answer]:
        return self.ledger().post(instructions)
