"""A timeline in memory, behind the same port as the table, proven by the same suite."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from postbus.domain.errors import Unavailable
from postbus.domain.event import Event
from postbus.domain.timeline import Sent, Story
from postbus.ports import OpenTransaction


class InMemoryTimeline:
    """``ports.Timeline``; ``away`` while true, nothing answers."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {}
        self.listed: dict[str, tuple[datetime, OpenTransaction]] = {}
        self.sent: dict[str, Sent] = {}
        self.away = False

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("timeline did not answer")

    def record(self, events: Sequence[Event]) -> Mapping[str, str]:
        self._answer()
        for transaction_id in dict.fromkeys(event.transaction_id for event in events):
            told = Story.of(event for event in events if event.transaction_id == transaction_id)
            self.events.setdefault(transaction_id, []).extend(told.events)
            told = told.own
            if told.is_final:
                if not told.has_beginning:
                    self.listed.pop(transaction_id, None)
            elif told.state is not None:
                assert told.began_at is not None
                assert told.moved_at is not None
                entry = OpenTransaction(transaction_id, told.state, told.began_at)
                self.listed[transaction_id] = (told.moved_at, entry)
        return {}

    def story(self, transaction_id: str) -> Story:
        self._answer()
        place = self.listed.get(transaction_id)
        return Story.of(
            self.events.get(transaction_id, ()), self.sent.get(transaction_id), place[0] if place else None
        )

    def idle(self, since: datetime) -> Iterator[str]:
        self._answer()
        found = sorted((idle, one) for one, (idle, _) in self.listed.items() if idle <= since)
        yield from (one for _, one in found)

    def sent_again(self, transaction_id: str, sent: Sent) -> None:
        self._answer()
        self.sent[transaction_id] = sent

    def look_again(self, listed: OpenTransaction, seen: datetime, since: datetime) -> None:
        self._answer()
        place = self.listed.get(listed.transaction_id)
        if place is not None and place[0] == seen:
            self.listed[listed.transaction_id] = (since, listed)

    def close(self, transaction_id: str) -> None:
        self._answer()
        self.listed.pop(transaction_id, None)

    def open(self) -> Iterator[OpenTransaction]:
        self._answer()
        yield from [entry for _, entry in self.listed.values()]
