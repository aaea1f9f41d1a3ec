"""Messages that come and go by way of a customer's broker."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.messages import Status

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:postbus:brokered-message")

# A transaction that has one of these has its answer.
_FINAL = frozenset({Status.ACSC, Status.PART, Status.RJCT, Status.CANC})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message; the same message may be delivered again.

    Attributes:
        receipt: by which the broker knows this delivery, for as long as the connection lasts.
        body: as it came; personal data.
        message_id: as its sender named it.
        properties: whatever else its sender said of it that no broker changes on the way.
    """

    receipt: str
    body: bytes = field(repr=False)
    message_id: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """A UUID that is the same for every delivery of a message, and another for every other message.

        From the sender's ``app_id`` and ``message_id``, and its ``user_id`` where it gives one: the broker
        has checked that, so nobody else's message has the key.  Without a ``message_id`` from the content:
        body and properties.  Two messages without an id that are equal in all of that are one message.
        """
        if self.message_id:
            facts = ["message id", self.properties.get("app_id", ""), self.message_id]
            if user_id := self.properties.get("user_id"):
                facts.append(user_id)
        else:
            digest = hashlib.sha256(self.body).hexdigest()
            facts = [
                "content",
                digest,
                *(f"{name}={self.properties[name]}" for name in sorted(self.properties)),
            ]
        return str(uuid.uuid5(_NAMESPACE, json.dumps(facts)))


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is stored and its workflow runs, now or since an earlier delivery."""

    transaction_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The message will never be taken as it is.

    Attributes:
        reason: for whoever sent it.
    """

    transaction_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The outgoing message of a transaction, as XML; personal data."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StillOpen:
    """The transaction has no outgoing message yet."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """There is none: another client's transaction, or one that never got a message."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of a transaction's status."""

    transaction_id: str
    status: Status

    @classmethod
    def of(cls, body: Any) -> Self:
        """Read ``{"transaction_id", "status", ...}``.

        Raises:
            Malformed: no UUID, or no status, there.
        """
        fields = body if isinstance(body, dict) else {}
        try:
            transaction_id = str(uuid.UUID(fields["transaction_id"]))
        except (KeyError, ValueError, AttributeError, TypeError):
            raise Malformed("transaction_id", "a UUID") from None
        try:
            return cls(transaction_id, Status(fields["status"]))
        except (KeyError, ValueError):
            raise Malformed("status", "an ISO 20022 payment transaction status") from None

    @property
    def is_final(self) -> bool:
        return self.status in _FINAL


@dataclass(frozen=True, slots=True)
class Publication:
    """A message for the broker.

    Attributes:
        message_id: the same however often it is published, so that a receiver can tell.
        body: XML; personal data.
        headers: what a receiver may want to know without reading it.
    """

    message_id: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def answering(cls, notice: Notice, outgoing: Outgoing) -> Self:
        """The one outgoing message of a transaction."""
        headers = {"transaction_id": notice.transaction_id, "status": notice.status.value}
        return cls(notice.transaction_id, outgoing.body, headers)
