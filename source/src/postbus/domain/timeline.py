"""A transaction's story: the whole set of its events, whatever order and however often they came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS, FINAL_STATES, State, state_of
from postbus.domain.outcome import Outcome

# However long a dependency is away, a stuck transaction is tried again so often.
LONGEST_PAUSE = timedelta(hours=6)

_STATE = {name: fact.state for name, fact in FACTS.items()}
_ORDER = {name: place for place, name in enumerate(FACTS)}


@dataclass(frozen=True, slots=True)
class Sent:
    """That the sweeper sent an event again: which, and when last."""

    event_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one transaction's events.

    Attributes:
        events: each once, every event after the one that gave rise to it.
        sent: what the sweeper did last.
        idle_since: its place on the list of open transactions; ``None`` if it is not on it.
    """

    events: tuple[Event, ...]
    sent: Sent | None = None
    idle_since: datetime | None = None

    @classmethod
    def of(
        cls, events: Iterable[Event], sent: Sent | None = None, idle_since: datetime | None = None
    ) -> "Story":
        """The story of these events of one transaction, the same in whatever order they are given."""
        distinct: dict[str, Event] = {}
        for event in events:
            known = distinct.setdefault(event.event_id, event)
            if _preference(event) < _preference(known):
                distinct[event.event_id] = event
        told = sorted(distinct.values(), key=lambda event: _place(event, distinct))
        return cls(tuple(told), sent, idle_since)

    @property
    def state(self) -> State | None:
        """What the events add up to; ``None`` when they move nothing."""
        return state_of(event.type for event in self.events)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def own(self) -> "Story":
        """Without the voidings that belong to other stories.

        A reversal that names what was never seen voids it in the reversal's own story, and in vain if what
        comes then is not what it takes back.  Only the outcome tells which of the two it is.
        """
        named = [event for event in self.events if Outcome.names_unseen(event.data)]
        mine = {event.correlation_id for event in self.events if event not in named}
        foreign = {event.event_id for event in named if event.correlation_id not in mine}
        return replace(self, events=tuple(event for event in self.events if event.event_id not in foreign))

    @property
    def transaction(self) -> Mapping[str, Any] | None:
        """The transaction's data, as its own events tell it; ``None`` when none of them does."""
        told = (event.data.get("transaction") for event in self.own.events)
        return next((data for data in told if data is not None), None)

    @property
    def last(self) -> Event | None:
        """The latest of the events that put it into the state it is in."""
        state = self.state
        told = [event for event in self.events if state is not None and _STATE.get(event.type) is state]
        return max(told, key=lambda event: (event.occurred_at, event.event_id), default=None)

    @property
    def began_at(self) -> datetime | None:
        return min((event.occurred_at for event in self.events), default=None)

    @property
    def moved_at(self) -> datetime | None:
        """When it last entered a state."""
        times = [event.occurred_at for event in self.events if _STATE.get(event.type) is not None]
        return max(times, default=None)

    @property
    def has_beginning(self) -> bool:
        """Whether the event the story began with is among them."""
        return any(event.event_id == event.correlation_id for event in self.events)


def next_sweep(moved_at: datetime, event_id: str, sent: Sent | None, after: timedelta) -> datetime:
    """When an event that nothing followed is to be sent again.

    First after ``after``, then after pauses that double (``after``, ``after``, 2, 4 … times it), at most
    ``LONGEST_PAUSE``: an outage of days must not meet a flood of the same events when it ends.

    Args:
        moved_at: when the transaction entered the state it is stuck in.
        event_id: of the event to be sent; a pause earned by another event does not count.
    """
    if sent is None or sent.event_id != event_id:
        return moved_at + after
    return sent.at + min(max(after, sent.at - moved_at), LONGEST_PAUSE)


def _preference(event: Event) -> tuple[bool, datetime, str]:
    """Of several tellings of one event the first one stands, and a replay's only if there is no other."""
    return event.replay is not None, event.occurred_at, event.to_json()


def _place(event: Event, among: Mapping[str, Event]) -> tuple[datetime, int, int, str]:
    """Sort key: never before its cause, whatever the clocks say."""
    at, depth, seen, cause = event.occurred_at, 0, {event.event_id}, among.get(event.causation_id)
    while cause is not None and cause.event_id not in seen:
        seen.add(cause.event_id)
        at, depth, cause = max(at, cause.occurred_at), depth + 1, among.get(cause.causation_id)
    return at, depth, _ORDER.get(event.type, len(_ORDER)), event.event_id
