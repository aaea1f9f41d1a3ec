"""What every route of the API works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from postbus.domain.iso20022.client_requests import is_transaction_id
from postbus.domain.iso20022.deadlines import Deadlines
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import CANCELLATION_ANSWER, CREDIT_NOTIFICATION, OUTGOING, Head
from postbus.ports_iso20022 import Documents, MessageStore, Steps
from postbus.runtime.api import BadField, Problem, Request, bad_request

if TYPE_CHECKING:
    from postbus.domain.iso20022.schemas import Schemas
    from postbus.ports import Clock

READ, WRITE = "postbus/read", "postbus/write"
TRANSACTION_HEADER = "x-transaction-id"

# The documents of a transaction, as ``GET /v1/outgoing?document=`` names them; the first unless asked.
DOCUMENTS = (OUTGOING, CANCELLATION_ANSWER, CREDIT_NOTIFICATION)


@dataclass(frozen=True, kw_only=True)
class Front:
    """The ports and settings behind the API.

    Attributes:
        draw: a fresh UUIDv4.
        schemas: made when the first camt.056 comes, which few calls bring.
        home_region: whose transactions are opened here.
        largest_message_bytes: that may be uploaded.
        dependencies: by name, a call that fails where one does not answer.
    """

    store: MessageStore
    incoming: Documents
    outgoing: Documents
    steps: Steps
    clock: "Clock"
    draw: Callable[[], UUID]
    schemas: "Callable[[], Schemas]"
    deadlines: Deadlines
    home_region: str
    largest_message_bytes: int
    dependencies: Mapping[str, Callable[[], object]]

    def named(self, request: Request) -> Head:
        """The caller's transaction that the header or the path names.

        Raises:
            Problem: 400 for a header that is missing or no id; 404 for one that is not there, or another's:
                nobody learns which.
        """
        in_path = request.path.get("transaction_id")
        named = in_path if in_path is not None else request.headers.get(TRANSACTION_HEADER, "")
        if in_path is None and not is_transaction_id(named):
            raise bad_request(
                BadField("X-Transaction-Id", "a transaction id, as POST /v1/transactions gave it")
            )
        head = self.store.head(named) if is_transaction_id(named) else None
        if head is None or head.owner != request.client_id:
            raise Problem(404, "There is no such transaction.", "no-such-transaction")
        return head


def links(transaction_id: str) -> dict[str, str]:
    """Where a transaction's status, answer and requests are; relative to the API's base URL."""
    own = f"/v1/transactions/{transaction_id}"
    return {
        "self": own,
        "outgoing": "/v1/outgoing",
        "cancellation": f"{own}/cancellation",
        "acceptance": f"{own}/acceptance",
        "rejection": f"{own}/rejection",
        "redrive": f"{own}/redrive",
    }


def summary(head: Head) -> dict[str, Any]:
    """What every answer about a transaction begins with."""
    return {
        "transaction_id": head.transaction_id,
        "status": head.status.value,
        "final": head.status in FINAL,
        "links": links(head.transaction_id),
    }
