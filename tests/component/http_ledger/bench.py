"""An http ledger on a real posting system, with outcomes in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postbus.adapters.http_exchange import Deadlines, Exchange
from postbus.adapters.http_ledger import HttpLedger
from postbus.adapters.posting_system import PostingSystem
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.posting import PostingInstruction
from postbus.domain.transaction import Kind
from postbus.ports import Answer
from tests.fakes.approvals import NOON, instruction
from tests.fakes.ledger import Books, InMemoryOutcomes
from tests.servers.misbehaving_ledger import MisbehavingLedger

# Long enough for a loaded machine, short enough for a suite of time-outs.
DEADLINES = Deadlines(connect=1.0, total=0.4)


class Outcomes(InMemoryOutcomes):
    """The outcome items, with a history, and a function that can be killed at the worst moment."""

    def __init__(self) -> None:
        self.books = Books()
        super().__init__(self.books)
        self.history: list[tuple[str, OutcomeState]] = []
        self.crash_before: OutcomeState | None = None

    def decide(self, wanted: Outcome) -> Outcome:
        if wanted.state is self.crash_before:
            self.crash_before = None
            raise ConnectionAbortedError("the function was killed here")
        standing = super().decide(wanted)
        if standing is wanted:
            self.history.append((wanted.transaction_id, wanted.state))
        return standing

    def state_of(self, transaction_id: str) -> OutcomeState | None:
        outcome = self.find(transaction_id)
        return outcome.state if outcome else None


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


def reversal(
    of: str, amount: int = 1230, partial: bool = False, auth: str = "", **details: Any
) -> PostingInstruction:
    """The instruction to take back ``visa-<of>``, or a part of it, under the id ``visa-<auth>``."""
    return instruction(auth or f"back-{of}", Kind.REVERSAL, amount, reverses=of, partial=partial, **details)


def purchase(auth: str = "1", amount: int = 1230, **details: Any) -> PostingInstruction:
    """The instruction to book ``visa-<auth>``, of 12.30 EUR."""
    return instruction(auth, Kind.PURCHASE, amount, **details)


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
