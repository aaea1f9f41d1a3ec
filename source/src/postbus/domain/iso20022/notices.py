"""What is told to whoever listens when a transaction has ended: identifiers and its status, nothing else."""

import json
import uuid
from dataclasses import dataclass

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Head

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:postbus:iso20022-notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """That a transaction has reached a final status.

    Attributes:
        notice_id: derived, so that telling it again is telling the same (a UUIDv5).
        owner: the client it belongs to, for a subscriber to choose by.
        message_type: such as ``pacs.008.001.08``, once it is known.
    """

    notice_id: str
    transaction_id: str
    owner: str
    status: Status
    message_type: str | None = None

    @classmethod
    def of(cls, head: Head) -> "Notice":
        """The notice of a transaction that has ended; raises InvariantBroken for one that has not."""
        if head.status not in FINAL:
            raise InvariantBroken(f"{head.transaction_id} is {head.status}, which is not final")
        return cls(
            notice_id=str(uuid.uuid5(_NAMESPACE, f"{head.transaction_id}|{head.status}")),
            transaction_id=head.transaction_id,
            owner=head.owner,
            status=head.status,
            message_type=None if head.message_type is None else str(head.message_type),
        )

    def to_json(self) -> str:
        data = {
            "notice_id": self.notice_id,
            "transaction_id": self.transaction_id,
            "owner": self.owner,
            "status": self.status.value,
            "message_type": self.message_type,
        }
        return json.dumps({name: value for name, value in data.items() if value is not None})
