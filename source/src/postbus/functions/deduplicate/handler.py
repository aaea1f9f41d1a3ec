"""Turn approved records of one source into transactions, each checked for having been here before.

Records of a table's stream  ->  TransactionAuthorized v1, as envelopes for the pipe's target

A record's own fault parks it in quarantine and holds nobody back.  An error is raised only when a dependency
is away: the pipe then brings the whole batch again, which changes nothing that was done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from postbus.adapters.dynamodb_items import plain
from postbus.domain import duplicates
from postbus.domain.duplicates import Judgement
from postbus.domain.errors import Malformed
from postbus.domain.event import Event
from postbus.domain.inbound import RecordSchema, Source
from postbus.domain.inbound.quarantine import parked, reason
from postbus.domain.inbound.source import APPROVED
from postbus.domain.transaction import Transaction
from postbus.ports import ClaimStore, Clock, Parking
from postbus.runtime.entry import request_function
from postbus.runtime.logging import logger

if TYPE_CHECKING:
    from postbus.runtime.config import Config


@dataclass(frozen=True, slots=True)
class _Entrant:
    """A well-formed record on its way in."""

    transaction: Transaction
    fingerprint: str
    event_time: datetime
    arrived_at: datetime


def build(
    source: Source,
    schema: RecordSchema,
    claims: ClaimStore,
    quarantine: Parking,
    clock: Clock,
    window: timedelta,
) -> Callable[[Any], list[dict[str, Any]]]:
    """Bind the step to its ports.

    Args:
        window: how far apart in time two records with one fingerprint are still suspected duplicates.
    Returns:
        A function from a list of stream records to the envelopes of those that enter, in order.
    """

    def deduplicate(records: Any) -> list[dict[str, Any]]:
        now = clock()
        entrants: list[_Entrant] = []
        faults: list[tuple[Mapping[str, Any], Malformed]] = []
        for record in _approved(records):
            read = source.read(record["dynamodb"]["NewImage"], plain, schema)
            if isinstance(read, Malformed):
                faults.append((record, read))
            else:
                arrived_at = _arrival(record, now)
                at = duplicates.event_time(read, arrived_at)
                fingerprint = duplicates.fingerprint(read, source.fingerprint_fields)
                entrants.append(_Entrant(read, fingerprint, at, arrived_at))
        # Terraform makes this figure a metric: a pipe itself does not say how far it is behind.
        oldest = min((_arrival(record, now) for record in records), default=now)
        logger().info(
            "deduplicating",
            extra={"records": len(records), "oldest_record_seconds": round((now - oldest).total_seconds())},
        )
        details = [event.to_detail() for event in _judged(entrants, claims, window, now)]
        for record, fault in faults:
            stored = record["dynamodb"]
            event_id = str(record.get("eventID"))
            body = parked(source.name, event_id, stored["Keys"], stored["NewImage"], fault, schema.fields)
            quarantine.park(body, reason(fault))
            logger().warning("quarantined", extra={"stream_event_id": event_id, "reason": reason(fault)})
        return details

    return deduplicate


def _approved(records: Any) -> list[Mapping[str, Any]]:
    """The records that enter: inserted or updated, approved.  The pipe's filter lets no others through."""
    if not isinstance(records, list):
        raise Malformed("", "a list of records of a DynamoDB stream")
    for index, record in enumerate(records):
        stored = record.get("dynamodb") if isinstance(record, Mapping) else None
        if not isinstance(stored, Mapping) or not isinstance(stored.get("Keys"), Mapping):
            raise Malformed(f"[{index}]", "a record of a DynamoDB stream with its keys and images")
    return [record for record in records if _status(record["dynamodb"].get("NewImage")) == {"S": APPROVED}]


def _status(image: Any) -> Any:
    return image.get("status") if isinstance(image, Mapping) else None


def _arrival(record: Mapping[str, Any], now: datetime) -> datetime:
    """When the table took the record: the same however late it is processed.  Unsaid, it is now."""
    seconds = record["dynamodb"].get("ApproximateCreationDateTime")
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    return datetime.fromtimestamp(seconds, UTC) if is_number else now


def _judged(
    entrants: Sequence[_Entrant], claims: ClaimStore, window: timedelta, now: datetime
) -> list[Event]:
    wanted = [duplicates.identity_claim(one.transaction, one.event_time, one.arrived_at) for one in entrants]
    identities = claims.claim(wanted)
    fingerprints = iter(
        claims.claim(
            [
                duplicates.fingerprint_claim(one.transaction, one.fingerprint, one.event_time, window)
                for one, mine, identity in zip(entrants, wanted, identities, strict=True)
                # A conflict leaves no trace that a later, rightful record could be compared with.
                if not duplicates.conflicts(mine, identity)
            ]
        )
    )
    events = []
    for one, mine, identity in zip(entrants, wanted, identities, strict=True):
        fingerprint = None if duplicates.conflicts(mine, identity) else next(fingerprints)
        events.append(_event(one, duplicates.judge(mine, identity, fingerprint, window), now))
    return events


def _event(entrant: _Entrant, verdict: duplicates.Verdict, now: datetime) -> Event:
    transaction = entrant.transaction
    data: dict[str, Any] = {"fingerprint": entrant.fingerprint}
    match verdict.judgement:
        case Judgement.CONFLICT:
            transaction = duplicates.as_conflict(transaction)
            data["conflict_with"] = verdict.first
        case Judgement.SUSPECTED_DUPLICATE:
            data["duplicate_of"] = verdict.first
    return Event.first(
        "TransactionAuthorized",
        transaction.transaction_id,
        f"record:{transaction.content_hash}",
        now,
        {"transaction": transaction.to_data(), **data},
    )


def bind(config: "Config") -> Callable[[Any], list[dict[str, Any]]]:
    from dataclasses import replace

    from postbus.adapters.dynamodb_claims import DynamoDbClaims
    from postbus.adapters.record_schemas import record_schema
    from postbus.adapters.sqs_parking import SqsParking
    from postbus.domain.inbound import source_named
    from postbus.runtime.clients import client, now

    source = source_named(config.text("SOURCE"))
    if fields := config.values.get("POSTBUS_FINGERPRINT_FIELDS"):
        source = replace(
            source, fingerprint_fields=duplicates.checked_fields([name.strip() for name in fields.split(",")])
        )
    return build(
        source,
        RecordSchema(record_schema(source.name)),
        DynamoDbClaims(client("dynamodb"), config.text("CLAIMS_TABLE"), now),
        SqsParking(client("sqs"), config.text("QUARANTINE_QUEUE_URL")),
        now,
        timedelta(seconds=config.integer("DUPLICATE_WINDOW_SECONDS", 86400)),
    )


lambda_handler = request_function(bind)
