"""Which earlier transaction, and which of its transfers, a message is about.

A transaction is found by the UETR of a transfer, or by its MsgId; a reference that gives neither is not
found.  Within it a transfer is told by its UETR, or else by all the other references that are given.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from postbus.domain.duplicates import IDENTITY_RETENTION, Claim
from postbus.domain.iso20022.claims import uetr_key
from postbus.domain.iso20022.messages import Reference, Return
from postbus.domain.iso20022.workflow import Child, Head

# Before every claim that binds: one of then finds out who holds a key, and keeps nobody from it.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def sent_key(client: str, message_id: str) -> str:
    """Under which a client's message is found again by its MsgId."""
    digest = hashlib.sha256(f"{client}\n{message_id}".encode()).hexdigest()[:32]
    return f"sent#{digest}"


def claim_of(head: Head, key: str) -> Claim:
    """A transaction's claim on a key; the same whenever it is made."""
    return Claim(
        key=key,
        transaction_id=head.transaction_id,
        content_hash=head.incoming.sha256 if head.incoming else "",
        event_time=head.opened_at,
        expires_at=head.opened_at + IDENTITY_RETENTION,
    )


def look_ups(client: str, about: Reference | Return) -> tuple[Claim, ...]:
    """Claims that bind nobody: what stands under their keys is what is looked for, the best first."""
    keys = []
    if about.original_uetr:
        keys.append(uetr_key(about.original_uetr))
    if about.original_message_id:
        keys.append(sent_key(client, about.original_message_id))
    return tuple(Claim(key, "", "", event_time=_NEVER, expires_at=_NEVER) for key in keys)


def holders(standing: Iterable[Claim]) -> tuple[str, ...]:
    """The transactions that hold what was looked up."""
    return tuple(claim.transaction_id for claim in standing if claim.transaction_id)


def matching(children: Sequence[Child], about: Reference | Return) -> tuple[Child, ...]:
    """The transfers that a reference means: all of them where it names the message alone."""
    if about.original_uetr:
        return tuple(child for child in children if child.uetr == about.original_uetr)
    return tuple(child for child in children if _is_meant(child, about))


def _is_meant(child: Child, about: Reference | Return) -> bool:
    return all(
        given is None or given == own
        for given, own in (
            (about.original_end_to_end_id, child.end_to_end_id),
            (about.original_transaction_id, child.transaction_id),
            (about.original_instruction_id, child.instruction_id),
        )
    )
