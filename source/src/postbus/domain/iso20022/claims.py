"""What a message claims for itself alone: whoever makes a claim that another message holds is a duplicate.

Keys are digests: references are a sender's words, and may hold what does not belong into a key.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from postbus.domain.iso20022.business_checks import end_to_end_scope
from postbus.domain.iso20022.messages import Message

_NOT_PROVIDED = "NOTPROVIDED"


@dataclass(frozen=True, slots=True)
class UniqueReference:
    """A reference that no two messages may have.

    Attributes:
        key: ``<kind>#<32 hexadecimal digits>``.
        code: ISO 20022 ExternalStatusReason1Code for one that is held already: DU01 to DU05.
        number: of the transfer that has it; ``None`` for the whole message.
    """

    key: str
    code: str
    number: int | None = None


def claims(message: Message, client: str) -> tuple[UniqueReference, ...]:
    """Every claim of a message, each key once, of all its transfers: leave out those that are refused anyway.

    Args:
        client: who sent it.  References are unique for a client and the sender it speaks for, so that none
            can use up another's.  A UETR is unique for the client alone, whomever it speaks for: everywhere
            would let whoever learns of one keep its owner from paying.
    """
    found: dict[str, UniqueReference] = {}
    for kind, code, number, parts in _claimed(message, client):
        key = _key(kind, parts)
        found.setdefault(key, UniqueReference(key, code, number))
    return tuple(found.values())


def uetr_key(client: str, uetr: str) -> str:
    """The key of a client's UETR, by which its transfer is found again."""
    return _key("uetr", (client, uetr))


def _key(kind: str, parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return f"{kind}#{digest}"


def _claimed(message: Message, client: str) -> Iterator[tuple[str, str, int | None, tuple[str, ...]]]:
    sender = message.sender.bic or message.sender.clearing_member or "" if message.sender else ""
    who = (client, sender, message.type.definition)
    yield "message", "DU01", None, (*who, message.message_id)
    for one in message.transfers:
        block = one.payment_information_id
        if block is not None:
            yield "payment_information", "DU02", one.number, (*who, block)
        if one.uetr is not None:
            yield "uetr", "DU03", one.number, (client, one.uetr)
        if one.transaction_id is not None:
            yield "transaction", "DU03", one.number, (*who, one.transaction_id)
        if one.end_to_end_id != _NOT_PROVIDED:
            yield "end_to_end", "DU04", one.number, (*who, *end_to_end_scope(one))
        if one.instruction_id is not None:
            yield "instruction", "DU05", one.number, (*who, block or "", one.instruction_id)
    for returned in message.returns:
        if returned.return_id is not None:
            yield "return", "DU03", returned.number, (*who, returned.return_id)
