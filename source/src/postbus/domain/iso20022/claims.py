"""What a message claims for itself alone: whoever makes a claim that another message holds is a duplicate.

A message, and a block of payment information, is claimed by its transaction; a transfer's own references by
the transfer, so that they are free again when nothing came of it.  Keys are digests: references are a
sender's words, and may hold what does not belong into a key.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from postbus.domain.duplicates import IDENTITY_RETENTION, Claim
from postbus.domain.iso20022.business_checks import end_to_end_scope
from postbus.domain.iso20022.messages import Agent, Message, Status
from postbus.domain.iso20022.workflow import Child, ChildState, Head, child_of, pipeline_transaction_id

DUPLICATE_BLOCK = "DU02"

# An EndToEndId is the payer's own word, and a standing order says the same one again: one that is sent a
# second time by mistake is sent within days, over a week-end at most, and no standing order comes sooner.
# For as long as the first is open that tells nothing: whoever waits for it may send it again on any day.
_END_TO_END_AGAIN = timedelta(days=5)

_NOT_PROVIDED = "NOTPROVIDED"
_BRANCH_OF_ALL = "XXX"
_UNBOOKED = frozenset({ChildState.REJECTED, ChildState.VOIDED})
_ENDED_UNBOOKED = frozenset({Status.RJCT, Status.CANC})


@dataclass(frozen=True, slots=True)
class UniqueReference:
    """A reference that no two messages may have.

    Attributes:
        key: ``<kind>#<32 hexadecimal digits>``.
        code: ISO 20022 ExternalStatusReason1Code for one that is held already: DU01 to DU05.
        number: of the transfer that has it; ``None`` for the whole message.
        again_after: from then on, counted between the two transactions' openings, another transfer may have
            it, once the one that has it is final; ``None`` for one that stays with what was booked.
    """

    key: str
    code: str
    number: int | None = None
    again_after: timedelta | None = None

    def claim(self, head: Head) -> Claim:
        """A message's claim on it; the same whenever it is made."""
        number = None if self.code == DUPLICATE_BLOCK else self.number
        return claim_of(head, self.key, number)

    def is_free(self, head: Head, holder: Head | None, child: Child | None) -> bool:
        """Whether a message may take it from whoever holds it: nothing that is read for it changes again.

        Args:
            holder: the holder's transaction; ``None`` for one that is not known any more.
            child: the transfer that holds it; ``None`` for a whole message, or while it is not kept.
        """
        if came_to_nothing(holder, child):
            return True
        if self.again_after is None or holder is None or child is None or child.state is ChildState.OPEN:
            return False
        return head.opened_at - holder.opened_at >= self.again_after


def claims(message: Message, client: str, debtors: Mapping[int, str]) -> tuple[UniqueReference, ...]:
    """Every claim of a message, each key once, of all its transfers: leave out those that are refused anyway.

    Args:
        client: who sent it.  References are unique for a client and the sender it speaks for, so that none
            can use up another's.  A UETR is unique for the client alone, whomever it speaks for: everywhere
            would let whoever learns of one keep its owner from paying.
        debtors: the token of the account that each transfer debits, by number.  A UETR is unique for that
            account too, whichever client sends it, and so is an EndToEndId with the parties and the amount:
            whoever can collide there is one who may debit it.
    """
    found: dict[str, UniqueReference] = {}
    for kind, code, number, parts in _claimed(message, client, debtors):
        key = _key(kind, parts)
        again_after = _END_TO_END_AGAIN if kind == "end_to_end" else None
        found.setdefault(key, UniqueReference(key, code, number, again_after))
    return tuple(found.values())


def claim_of(head: Head, key: str, number: int | None = None) -> Claim:
    """A transaction's claim on a key, or one of its transfers'; the same whenever it is made."""
    holder = head.transaction_id
    return Claim(
        key=key,
        transaction_id=holder if number is None else pipeline_transaction_id(holder, number),
        content_hash=head.incoming.sha256 if head.incoming else "",
        event_time=head.opened_at,
        expires_at=head.opened_at + IDENTITY_RETENTION,
    )


def transaction_of(holder: str) -> str:
    """The transaction that a claim's holder is, or is a transfer of; empty for nobody."""
    found = child_of(holder)
    return found[0] if found else holder


def came_to_nothing(head: Head | None, child: Child | None) -> bool:
    """Whether nothing of a transaction, or of one of its transfers, is booked, and nothing will be.

    Args:
        head: ``None`` for one that is not known any more, of which that cannot be said.
        child: the transfer; ``None`` for the whole transaction, or while the transfer is not kept.
    """
    if child is not None and child.state is not ChildState.OPEN:
        return child.state in _UNBOOKED
    return head is not None and head.status in _ENDED_UNBOOKED


def uetr_key(client: str, uetr: str) -> str:
    """The key of a client's UETR, by which its transfer is found again."""
    return _key("uetr", (client, uetr))


def name_of(agent: Agent | None) -> str:
    """What a sender is told from others by: a BIC with or without the branch that stands for all is one."""
    if agent is None:
        return ""
    bic = agent.bic or ""
    return (bic.removesuffix(_BRANCH_OF_ALL) if len(bic) == 11 else bic) or agent.clearing_member or ""


def _key(kind: str, parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return f"{kind}#{digest}"


def _claimed(
    message: Message, client: str, debtors: Mapping[int, str]
) -> Iterator[tuple[str, str, int | None, tuple[str, ...]]]:
    who = (client, name_of(message.sender), message.type.definition)
    yield "message", "DU01", None, (*who, message.message_id)
    for one in message.transfers:
        block, debtor = one.payment_information_id, debtors[one.number]
        if block is not None:
            yield "payment_information", DUPLICATE_BLOCK, one.number, (*who, block)
        if one.uetr is not None:
            yield "uetr", "DU03", one.number, (client, one.uetr)
            yield "uetr_of_debtor", "DU03", one.number, (debtor, one.uetr)
        if one.transaction_id is not None:
            yield "transaction", "DU03", one.number, (*who, one.transaction_id)
        if one.end_to_end_id != _NOT_PROVIDED:
            what = (*end_to_end_scope(one), one.amount.currency, str(one.amount.minor))
            yield "end_to_end", "DU04", one.number, (debtor, *what)
        if one.instruction_id is not None:
            yield "instruction", "DU05", one.number, (*who, block or "", one.instruction_id)
    for returned in message.returns:
        if returned.return_id is not None:
            yield "return", "DU03", returned.number, (*who, returned.return_id)
