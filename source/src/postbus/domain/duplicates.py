"""Whether a transaction was here before, by its identity and by what it asks for.

Two claims per transaction decide.  The identity claim, ``identity#<transaction id>``, keeps the content hash
of whoever used the id first: the same hash is a redelivery and passes through unharmed any number of times,
another one is a conflict.  The fingerprint claim, ``fingerprint#<source>#<hash>``, keeps who first asked for
this business: another transaction id within the window is a suspected duplicate.

**Time.** Claims are compared at the event's time, which is the record's transmission time but never later
than its arrival: the verdict is the same however late or often the record is processed, and a sender's clock
in the future can neither outlive the window nor let later claims lapse.  The window is symmetric, so an old
record that comes late is compared with a newer one as well.  A sender that changes its transmission time by
more than the window defeats the fingerprint, which guards against mistakes; the identity does not depend on
time.

**Retention.** Identity claims bind for 400 days from their arrival, longer than any archive or table they
could be replayed or resubmitted from.  At 200 bytes a claim, 400 days of a million payments a day are 80 GB,
20 dollars a month.
An id used again after that meets its outcome in the ledger, which is kept for ever.

Known limit: a fingerprint has one claim.  Of three equal records, the middle one in time and last to arrive
may be compared with the newest only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.event import parse_time
from postbus.domain.money import Money
from postbus.domain.transaction import Transaction, content_hash

IDENTITY_RETENTION = timedelta(days=400)

# What is posted, and what the judgement of it rests on.  Left out on purpose: transmission and local times,
# STAN, RRN, terminal, message type: an acquirer may send the same authorisation again with new ones.
CONTENT_FIELDS = (
    "source",
    "kind",
    "amount",
    "billing",
    "conversion_rate",
    "account_token",
    "counterparty_token",
    "original_transaction_id",
    "partial",
    "processing_code",
    "merchant_id",
    "merchant_category_code",
    "merchant_country",
    "end_to_end_id",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim on an identity or a fingerprint in the duplicate store.

    Attributes:
        key: what is claimed.
        transaction_id: who claims it.
        content_hash: the claimant's content.
        event_time: of the claimant's record.
        expires_at: from then on the claim binds nobody (deletion by TTL lags behind).
        instead_of: the transaction that the key is taken from, for one whose claim binds no longer.
    """

    key: str
    transaction_id: str
    content_hash: str
    event_time: datetime
    expires_at: datetime
    instead_of: str | None = None


class Judgement(StrEnum):
    """What two claims say of a transaction."""

    FRESH = "fresh"
    REDELIVERY = "redelivery"
    SUSPECTED_DUPLICATE = "suspected_duplicate"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement and, for a duplicate or a conflict, the transaction that was there first."""

    judgement: Judgement
    first: str | None = None


def with_content_hash(**values: Any) -> Transaction:
    """The transaction of these values, with its content hash."""
    return Transaction(**values, content_hash=content_hash(_facts(values, CONTENT_FIELDS)))


def fingerprint(transaction: Transaction, names: Sequence[str]) -> str:
    """Hash of the business asked for, by the fields that make it the same business for its source.

    Args:
        names: attributes of the transaction, or ``message_class`` (the second digit of the message type).
    """
    values = {name: getattr(transaction, name) for name in names if name != "message_class"}
    values["message_class"] = (transaction.message_type or "")[1:2]
    return content_hash(_facts(values, names))


def checked_fields(names: Sequence[str]) -> tuple[str, ...]:
    """Fingerprint fields as configured; raises Malformed naming one that is no fact of a transaction."""
    facts = (set(Transaction.__dataclass_fields__) - {"transaction_id", "content_hash"}) | {"message_class"}
    for name in names:
        if name not in facts:
            raise Malformed("fingerprint_fields", "names among " + ", ".join(sorted(facts)))
    if not names:
        raise Malformed("fingerprint_fields", "at least one name")
    return tuple(names)


def event_time(transaction: Transaction, arrived_at: datetime) -> datetime:
    """The time its claims are compared at: its transmission time, never later than its arrival."""
    return min(parse_time(transaction.transmitted_at, "transmitted_at"), arrived_at)


def identity_claim(transaction: Transaction, at: datetime, arrived_at: datetime) -> Claim:
    """It binds from its arrival on: a sender's time in the past must not let the id lapse early."""
    return Claim(
        key=f"identity#{transaction.transaction_id}",
        transaction_id=transaction.transaction_id,
        content_hash=transaction.content_hash,
        event_time=at,
        expires_at=max(at, arrived_at) + IDENTITY_RETENTION,
    )


def fingerprint_claim(transaction: Transaction, fingerprint: str, at: datetime, window: timedelta) -> Claim:
    return Claim(
        key=f"fingerprint#{transaction.source}#{fingerprint}",
        transaction_id=transaction.transaction_id,
        content_hash=transaction.content_hash,
        event_time=at,
        expires_at=at + window,
    )


def conflicts(wanted: Claim, standing: Claim) -> bool:
    """Whether the identity that ``wanted`` asks for stands for other content."""
    return standing.content_hash != wanted.content_hash


def judge(wanted: Claim, identity: Claim, fingerprint: Claim | None, window: timedelta) -> Verdict:
    """The verdict on a transaction.

    Args:
        wanted: the identity claim it made.
        identity: the identity claim that stands.
        fingerprint: the fingerprint claim that stands; ``None`` if it made none, being in conflict.
    """
    if conflicts(wanted, identity):
        return Verdict(Judgement.CONFLICT, identity.transaction_id)
    if (
        fingerprint is not None
        and fingerprint.transaction_id != wanted.transaction_id
        and abs(fingerprint.event_time - wanted.event_time) < window
    ):
        return Verdict(Judgement.SUSPECTED_DUPLICATE, fingerprint.transaction_id)
    return Verdict(Judgement.FRESH if identity is wanted else Judgement.REDELIVERY)


def as_conflict(transaction: Transaction) -> Transaction:
    """The transaction under an id of its own: the id it came with belongs to another content."""
    identifier = f"{conflict_prefix(transaction.transaction_id)}{transaction.content_hash[:8]}"
    return replace(transaction, transaction_id=identifier)


def conflict_prefix(transaction_id: str) -> str:
    """How the ids of what conflicts with this transaction begin."""
    return f"{transaction_id}.conflict-"


def _facts(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _json(values.get(name)) for name in names}


def _json(value: Any) -> Any:
    return value.to_data() if isinstance(value, Money) else value or None
