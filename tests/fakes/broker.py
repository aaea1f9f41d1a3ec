"""A broker in memory: the same promises as ``ports_iso20022.BrokerReader`` and ``BrokerWriter``."""

from collections.abc import Callable
from dataclasses import dataclass, field

from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.brokered import Delivery, Publication


@dataclass
class FakeBroker:
    """Its queues; ``place`` stands for where a writer writes."""

    waiting: list[tuple[str | None, bytes]] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    place: list[Publication] = field(default_factory=list)
    leads_somewhere: bool = True
    takes_refused: bool = True

    def reader(self, in_hand: int = 10, passing: Callable[[float], None] = lambda _: None) -> "FakeReader":
        return FakeReader(self, in_hand, passing)

    def publish(self, publication: Publication) -> None:
        if not self.leads_somewhere:
            raise Unavailable("a message led to no queue")
        self.place.append(publication)


@dataclass
class FakeReader:
    broker: FakeBroker
    in_hand: int
    passing: Callable[[float], None]
    taken: dict[str, tuple[str | None, bytes]] = field(default_factory=dict)
    number: int = 0

    def take(self, wait_seconds: float) -> Delivery | None:
        if not self.broker.waiting or len(self.taken) >= self.in_hand:
            self.passing(wait_seconds)
            return None
        self.number += 1
        message_id, body = self.broker.waiting.pop(0)
        self.taken[str(self.number)] = message_id, body
        return Delivery(str(self.number), body, message_id)

    def done(self, delivery: Delivery) -> None:
        del self.taken[delivery.receipt]

    def refuse(self, delivery: Delivery, reason: str) -> None:
        if not self.broker.takes_refused:
            raise Unavailable("a message led to no queue")
        self.broker.refused.append((delivery.body, reason))
        self.done(delivery)

    def close(self) -> None:
        self.broker.waiting[:0] = self.taken.values()
        self.taken.clear()
