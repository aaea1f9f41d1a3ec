"""The earlier transfers that a message is about: a client's own, and nobody else's."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from postbus.domain.iso20022 import originals
from postbus.domain.iso20022.claims import claim_of, transaction_of
from postbus.domain.iso20022.messages import Agent, Message, Reference, Return
from postbus.domain.iso20022.originals import Sought, Transfers
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Child, Head
from postbus.ports import ClaimStore
from postbus.ports_iso20022 import MessageStore


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction, and those of its transfers that are meant; none while they are not kept yet."""

    head: Head
    children: tuple[Child, ...]


def make_findable(claims: ClaimStore, head: Head, message: Message) -> None:
    """See that a message is found by its MsgId, and that it is known if it is not alone to have it."""
    keys = originals.keys_of(head.owner, message)
    _, first = claims.claim([claim_of(head, key) for key in (keys.own, keys.any)])
    if first.transaction_id != head.transaction_id:
        claims.claim([claim_of(head, keys.shared)])


@dataclass(slots=True)
class Finder:
    """Finds what messages are about; for one message."""

    messages: MessageStore
    claims: ClaimStore
    _transfers: dict[str, Transfers] = field(default_factory=dict)
    _heads: dict[str, Head | None] = field(default_factory=dict)

    def find(
        self, head: Head, about: Sequence[Reference | Return], sender: Agent | None = None
    ) -> list[Found | None]:
        """For each what it means; ``None`` where no transaction of the same client is known by it.

        Args:
            sender: of what is looked for; a return names it itself.
        """
        sought = [Sought.by(head.owner, one, _sender(one, sender)) for one in about]
        keys = list(dict.fromkeys(key for one in sought for key in one.keys))
        standing = self.claims.claim([originals.look_up(key) for key in keys])
        holders = {
            key: transaction_of(claim.transaction_id) for key, claim in zip(keys, standing, strict=True)
        }
        found = [one.holder(holders) for one in sought]
        return [self._meant(head, one, reference) for one, reference in zip(found, about, strict=True)]

    def within(self, head: Head, transaction_id: str, about: Sequence[Reference]) -> list[Found | None]:
        """For each what it means of a transaction that was found before."""
        return [self._meant(head, transaction_id, one) for one in about]

    def _meant(self, head: Head, transaction_id: str | None, about: Reference | Return) -> Found | None:
        if transaction_id is None or transaction_id == head.transaction_id:
            return None
        original = self._head(transaction_id)
        if original is None or original.owner != head.owner or not originals.agrees(original, about):
            return None
        if original.children is None:
            is_known = originals.is_whole(about) or original.status not in FINAL
            return Found(original, ()) if is_known else None
        meant = self._children(transaction_id).meant(about)
        return Found(original, meant) if meant else None

    def _head(self, transaction_id: str) -> Head | None:
        if transaction_id not in self._heads:
            self._heads[transaction_id] = self.messages.head(transaction_id)
        return self._heads[transaction_id]

    def _children(self, transaction_id: str) -> Transfers:
        if transaction_id not in self._transfers:
            self._transfers[transaction_id] = Transfers(self.messages.children(transaction_id))
        return self._transfers[transaction_id]


def _sender(about: Reference | Return, sender: Agent | None) -> Agent | None:
    """A return goes to whom its original came from."""
    return about.instructed_agent if isinstance(about, Return) else sender
