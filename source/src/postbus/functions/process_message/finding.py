"""The earlier transfers that a message is about: a client's own, and nobody else's."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from postbus.domain.iso20022 import originals
from postbus.domain.iso20022.messages import Reference, Return
from postbus.domain.iso20022.workflow import Child, Head
from postbus.ports import ClaimStore
from postbus.ports_iso20022 import MessageStore


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction, and those of its transfers that are meant."""

    head: Head
    children: tuple[Child, ...]


@dataclass(slots=True)
class Finder:
    """Finds what messages are about; for one message."""

    messages: MessageStore
    claims: ClaimStore
    _transfers: dict[str, tuple[Child, ...]] = field(default_factory=dict)
    _heads: dict[str, Head | None] = field(default_factory=dict)

    def find(self, head: Head, about: Sequence[Reference | Return]) -> list[Found | None]:
        """For each what it means; ``None`` where no transaction of the same client is known by it."""
        asked = [originals.look_ups(head.owner, one) for one in about]
        standing = iter(self.claims.claim([claim for claims in asked for claim in claims]))
        held = [originals.holders([next(standing) for _ in claims]) for claims in asked]
        return [self._first(head, holders, one) for holders, one in zip(held, about, strict=True)]

    def _first(self, head: Head, holders: Sequence[str], about: Reference | Return) -> Found | None:
        for transaction_id in holders:
            original = self._head(transaction_id)
            if original is None or original.owner != head.owner or transaction_id == head.transaction_id:
                continue
            meant = originals.matching(self._children(transaction_id), about)
            if meant or original.children is None:
                return Found(original, meant)
        return None

    def _head(self, transaction_id: str) -> Head | None:
        if transaction_id not in self._heads:
            self._heads[transaction_id] = self.messages.head(transaction_id)
        return self._heads[transaction_id]

    def _children(self, transaction_id: str) -> tuple[Child, ...]:
        if transaction_id not in self._transfers:
            self._transfers[transaction_id] = tuple(self.messages.children(transaction_id))
        return self._transfers[transaction_id]
