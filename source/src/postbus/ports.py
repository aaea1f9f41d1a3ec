"""What the domain needs from outside, in the domain's words.

Every method may raise ``Unavailable``.  A store that did not answer has not said no.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from postbus.domain.duplicates import Claim
from postbus.domain.event import Event
from postbus.domain.lifecycle import OutcomeState, State
from postbus.domain.outcome import Outcome
from postbus.domain.posting import PostingInstruction
from postbus.domain.rules import Evaluation
from postbus.domain.timeline import Sent, Story

Clock = Callable[[], datetime]

# ``map``, or one that makes several calls at the same time; the answers in order.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class EventBus(Protocol):
    """The custom bus."""

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Send events, any number of them.

        Returns:
            The refused ones, ``{event_id: reason}``; empty when the bus accepted every entry.
        """
        ...


class Outcomes(Protocol):
    """The outcome items: one per transaction, beside the ledger."""

    def find(self, transaction_id: str) -> Outcome | None:
        """The outcome as it stands now (a strongly consistent read)."""
        ...

    def decide(self, wanted: Outcome) -> Outcome:
        """Record ``wanted`` if the lifecycle lets it follow what is stored, in one conditional write.

        Returns:
            The outcome that stands: ``wanted``, or the stored one where that had been decided before.
        Raises:
            InvariantBroken: the stored one was decided for other content, and ``wanted`` not in a replay.
        """
        ...

    def in_state(self, state: OutcomeState) -> Iterator[Outcome]:
        """Outcomes HELD, RELEASED or SENDING, oldest first (eventually consistent)."""
        ...

    def unannounced(self) -> Iterator[Outcome]:
        """Outcomes decided by a command whose announcement was not confirmed (eventually consistent)."""
        ...

    def announced(self, outcome: Outcome) -> None:
        """The bus has accepted the announcement of a command's outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """The ledger's answer to an instruction: the outcomes that now stand, its own first, all announced."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class NotNow:
    """The ledger is away, or does not know yet; nothing was decided.  Try the same instruction later."""

    reason: str


@dataclass(frozen=True, slots=True)
class Impossible:
    """An instruction that contradicts what is stored (another content hash): our bug."""

    reason: str


Answer = Settled | NotNow | Impossible


class Ledger(Protocol):
    """The system of record that books postings."""

    def post(self, instructions: Sequence[PostingInstruction]) -> Sequence[Answer]:
        """Book each instruction at most once, however often it is asked.

        Returns:
            One answer per instruction, in order.  An instruction whose outcome was decided before is
            answered with that outcome and changes nothing.
        """
        ...


class Directory(Protocol):
    """Reference data by key: accounts by token, merchants by id."""

    def find(self, keys: Sequence[str], consistent: bool = False) -> Mapping[str, Mapping[str, Any]]:
        """The records found, numbers as decimal text; a key absent from the answer does not exist.

        Args:
            consistent: as they are now; otherwise as they were a moment ago, perhaps.
        """
        ...


class RuleEngine(Protocol):
    """The business rules in force."""

    def evaluate(self, facts: Mapping[str, Any]) -> Evaluation:
        """Everything they find in the facts of one transaction (``rules.facts_of``).

        Raises:
            InvariantBroken: the ruleset in force cannot judge.
        """
        ...


class VelocityCounter(Protocol):
    """How many distinct transactions an account token made within an hour."""

    def count(self, token: str, transaction_id: str, at: datetime) -> int:
        """Count this transaction (again is no change) and return the number so far in its hour."""
        ...


class ClaimStore(Protocol):
    """Who was first with an identity or a business fingerprint."""

    def claim(self, wanted: Sequence[Claim]) -> Sequence[Claim]:
        """Take each key that is free, expired at the claim's event time, or ours already (same transaction);
        or held by whom the claim takes it from (``instead_of``), and by nobody else.

        Claims on the same key are made in the order given.

        Returns:
            For each the claim that stands: ``wanted`` itself, our own earlier one, or another transaction's.
        """
        ...


class Parking(Protocol):
    """A queue where what cannot succeed as it is waits for an operator."""

    def park(self, body: Mapping[str, Any], reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """An entry of the list of transactions that are not final.

    Attributes:
        state: as its last recorded batch of events told it; corrected when the sweeper looks at it.
        since: when its story began, as far as that batch told.
    """

    transaction_id: str
    state: State
    since: datetime


class Timeline(Protocol):
    """Every event of every transaction, and the list of those that are not final."""

    def record(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Keep events, of any transactions; the same ones again change nothing.

        Returns:
            Those that were not kept, ``{event_id: reason}``.
        """
        ...

    def story(self, transaction_id: str) -> Story:
        """All that is kept of a transaction (a strongly consistent read); without events if it is unknown."""
        ...

    def idle(self, since: datetime) -> Iterator[str]:
        """Ids of open transactions idle since then or longer, the longest first (eventually consistent)."""
        ...

    def sent_again(self, transaction_id: str, sent: Sent) -> None:
        """Remember what the sweeper sent."""
        ...

    def look_again(self, listed: OpenTransaction, seen: datetime, since: datetime) -> None:
        """Correct a transaction's place on the list, unless it was listed anew in the meantime.

        Args:
            seen: the story's ``idle_since`` that this was decided from.
            since: its new one; in the future for one that is to be left alone for a while.
        """
        ...

    def close(self, transaction_id: str) -> None:
        """Take a final transaction off the list."""
        ...

    def open(self) -> Iterator[OpenTransaction]:
        """The whole list, in no order (eventually consistent)."""
        ...


class Metrics(Protocol):
    """Figures for alarms and the dashboard."""

    def publish(self, name: str, value: float) -> None:
        """Tell the present value of a figure."""
        ...
