"""Which earlier transaction, and which of its transfers, a message is about.

A transaction is found by the UETR of a transfer, or by its MsgId; a reference that gives neither is not
found.  A MsgId is unique for a client, the sender it speaks for and the message's definition, no further: of
several messages that share one the same sender's is meant, or else none.  Whatever a reference gives has to
agree with the one original, and one that is about a single transfer means one or none.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from postbus.domain.duplicates import Claim
from postbus.domain.iso20022.claims import name_of, uetr_key
from postbus.domain.iso20022.messages import Agent, Message, Reference, Return
from postbus.domain.iso20022.workflow import Child, Head

# Before every claim that binds: one of then finds out who holds a key, and keeps nobody from it.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_DEFINITION = re.compile(r"[a-z]{4}\.\d{3}(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SentKeys:
    """Under which a client's message is found again by its MsgId.

    Attributes:
        own: of its sender alone.
        any: of whichever sender's came first.
        shared: claimed by every other one, so that ``any`` is known to mean several.
    """

    own: str
    any: str
    shared: str


def sent_keys(client: str, definition: str, message_id: str, sender: Agent | None) -> SentKeys:
    """The keys of a message; those of what looks for it, given the same, are the same."""
    parts = (client, definition, message_id.strip())
    return SentKeys(
        own=_key("sent_by", *parts, name_of(sender)),
        any=_key("sent", *parts),
        shared=_key("sent_too", *parts),
    )


def keys_of(client: str, message: Message) -> SentKeys:
    """The keys that a message is to be found by."""
    return sent_keys(client, message.type.definition, message.message_id, message.sender)


def about_key(transaction_id: str) -> str:
    """Under which it stays what a request is about, whatever comes later."""
    return f"about#{transaction_id}"


def look_up(key: str) -> Claim:
    """A claim that binds nobody: what stands under its key is what is looked for."""
    return Claim(key, "", "", event_time=_NEVER, expires_at=_NEVER)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a reference is looked up by."""

    uetr: str | None
    sent: SentKeys | None

    @classmethod
    def by(cls, client: str, about: Reference | Return, sender: Agent | None) -> "Sought":
        """
        Args:
            sender: of what is looked for.
        """
        definition = definition_of(about.original_message_type)
        sent = None
        if about.original_message_id and definition:
            sent = sent_keys(client, definition, about.original_message_id, sender)
        return cls(uetr_key(client, about.original_uetr) if about.original_uetr else None, sent)

    @property
    def keys(self) -> tuple[str, ...]:
        sent = (self.sent.own, self.sent.any, self.sent.shared) if self.sent else ()
        return (*([self.uetr] if self.uetr else []), *sent)

    def holder(self, holders: Mapping[str, str]) -> str | None:
        """The one transaction that may be meant; ``None`` for none, or several.

        Args:
            holders: transactions by key, empty for a key that nobody holds.
        """
        if self.uetr and holders[self.uetr]:
            return holders[self.uetr]
        if self.sent is None:
            return None
        if holders[self.sent.own]:
            return holders[self.sent.own]
        return None if holders[self.sent.shared] else holders[self.sent.any] or None


def agrees(head: Head, about: Reference | Return) -> bool:
    """Whether a transaction's message is the one a reference names, as far as it names one."""
    if about.original_message_id and about.original_message_id.strip() != head.message_id:
        return False
    named = about.original_message_type
    return not named or (
        head.message_type is not None and definition_of(named) == head.message_type.definition
    )


def definition_of(name: str | None) -> str | None:
    """``pacs.008`` of ``pacs.008.001.08``, or of ``pacs.008`` itself; ``None`` for what names no message."""
    found = _DEFINITION.match((name or "").strip())
    return found[0] if found else None


def institution(agent: Agent | None) -> str | None:
    """What tells an agent from others, whatever its branch; ``None`` for one that cannot be told."""
    if agent is None:
        return None
    member = f"{agent.clearing_system}/{agent.clearing_member}" if agent.clearing_member else None
    return agent.bic[:8] if agent.bic else member or agent.lei


def is_whole(about: Reference | Return) -> bool:
    """Whether it names the message alone, and with it all of its transfers."""
    return not _given(about)


class Transfers:
    """The transfers of a message by their references."""

    def __init__(self, children: Iterable[Child]) -> None:
        self.all = tuple(children)
        self._by: dict[tuple[str, str], list[Child]] = defaultdict(list)
        for child in self.all:
            for name, value in _own(child).items():
                if value is not None:
                    self._by[name, value].append(child)

    def meant(self, about: Reference | Return) -> tuple[Child, ...]:
        """Those a reference means: all where it names the message alone, else the only one that agrees."""
        given = _given(about)
        if not given:
            return self.all
        # The rarest reference first, and no further than the second: a bulk may have thousands of references
        # to it that all say the same.
        fewest = min((self._by.get(one, ()) for one in given.items()), key=len)
        found = tuple(islice((child for child in fewest if given.items() <= _own(child).items()), 2))
        return found if len(found) == 1 else ()


def _given(about: Reference | Return) -> dict[str, str]:
    named = {
        "uetr": about.original_uetr,
        "end_to_end_id": about.original_end_to_end_id,
        "transaction_id": about.original_transaction_id,
        "instruction_id": about.original_instruction_id,
    }
    return {name: value for name, value in named.items() if value is not None}


def _own(child: Child) -> dict[str, str | None]:
    return {
        "uetr": child.uetr,
        "end_to_end_id": child.end_to_end_id,
        "transaction_id": child.transaction_id,
        "instruction_id": child.instruction_id,
    }


def _key(kind: str, *parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return f"{kind}#{digest}"
