"""The envelope every fact on the bus travels in.

``detail = {"metadata": {...}, "data": {...}}``; identifiers are derived, never drawn, so announcing a
thing twice is announcing it once.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Self

from postbus.domain.errors import Malformed

SCHEMA_VERSION = 1

# A constant of the project, so that an id computed anywhere, in any region, is the same id.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:postbus:event")


def event_id(transaction_id: str, event_type: str, cause: str) -> str:
    """The id of the event of this type that ``cause`` gives rise to for this transaction (a UUIDv5)."""
    return str(uuid.uuid5(_NAMESPACE, f"{transaction_id}|{event_type}|{cause}"))


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: ``2026-01-31T09:30:00.123Z``."""
    if moment.tzinfo is None:
        raise Malformed("time", "an aware datetime")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: Any, name: str = "time") -> datetime:
    """Read an RFC 3339 time with a zone.

    Raises:
        Malformed: names ``name``; not text, not RFC 3339, or without a zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Malformed(name, "an RFC 3339 time such as 2026-01-31T09:30:00.000Z") from None
    if moment.tzinfo is None:
        raise Malformed(name, "a time with a zone, such as 2026-01-31T09:30:00.000Z")
    return moment


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one transaction.

    Attributes:
        type: past-tense name, the EventBridge ``detail-type``.
        event_id: derived from (transaction, type, cause).
        correlation_id: the id of the first event of the transaction's story.
        causation_id: the event (or record, or command) that gave rise to this one.
        data: JSON values only; amounts as ``Money.to_data()``.
        replay: name of the archive replay this event comes from or descends from, if any.
    """

    type: str
    transaction_id: str
    event_id: str
    correlation_id: str
    causation_id: str
    occurred_at: datetime
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    replay: str | None = None
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def first(
        cls, type: str, transaction_id: str, cause: str, occurred_at: datetime, data: Mapping[str, Any]
    ) -> Self:
        """The event that begins a transaction's story; ``cause`` names the record or command behind it."""
        identifier = event_id(transaction_id, type, cause)
        return cls(type, transaction_id, identifier, identifier, cause, occurred_at, data)

    def then(self, type: str, occurred_at: datetime, data: Mapping[str, Any]) -> "Event":
        """The event of ``type`` that this one gives rise to, for the same transaction."""
        return Event(
            type=type,
            transaction_id=self.transaction_id,
            event_id=event_id(self.transaction_id, type, self.event_id),
            correlation_id=self.correlation_id,
            causation_id=self.event_id,
            occurred_at=occurred_at,
            data=data,
            replay=self.replay,
        )

    def to_detail(self) -> dict[str, Any]:
        """The EventBridge ``detail``; its JSON Schemas stand in ``events/``."""
        metadata: dict[str, Any] = {
            "event_id": self.event_id,
            "schema_version": self.schema_version,
            "occurred_at": format_time(self.occurred_at),
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "transaction_id": self.transaction_id,
        }
        if self.replay is not None:
            metadata["replay"] = self.replay
        return {"metadata": metadata, "data": dict(self.data)}

    def to_json(self) -> str:
        return json.dumps(self.to_detail(), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_bus(cls, message: Any) -> Self:
        """Read an EventBridge message ``{"detail-type", "detail", "replay-name"?, ...}``.

        Raises:
            Malformed: names the field that is missing or not of its type.
        """
        if not isinstance(message, Mapping):
            raise Malformed("", "an EventBridge message object")
        return cls.from_detail(
            _text(message, "detail-type"), message.get("detail"), replay=message.get("replay-name")
        )

    @classmethod
    def from_detail(cls, type: str, detail: Any, replay: str | None = None) -> Self:
        """Read an envelope.  A replay's name on the message wins over one already in the metadata."""
        if not isinstance(detail, Mapping):
            raise Malformed("detail", "an object with metadata and data")
        metadata, data = detail.get("metadata"), detail.get("data")
        if not isinstance(metadata, Mapping):
            raise Malformed("detail.metadata", "an object")
        if not isinstance(data, Mapping):
            raise Malformed("detail.data", "an object")
        version = metadata.get("schema_version")
        if version != SCHEMA_VERSION:
            raise Malformed("detail.metadata.schema_version", f"{SCHEMA_VERSION}, not {version!r}")
        return cls(
            type=type,
            transaction_id=_text(metadata, "transaction_id", "detail.metadata."),
            event_id=_text(metadata, "event_id", "detail.metadata."),
            correlation_id=_text(metadata, "correlation_id", "detail.metadata."),
            causation_id=_text(metadata, "causation_id", "detail.metadata."),
            occurred_at=parse_time(metadata.get("occurred_at"), "detail.metadata.occurred_at"),
            data=data,
            replay=replay or metadata.get("replay"),
        )


def _text(container: Mapping[str, Any], name: str, prefix: str = "") -> str:
    value = container.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(prefix + name, "non-empty text")
    return value
