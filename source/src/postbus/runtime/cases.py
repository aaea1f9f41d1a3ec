"""A transaction's case, gathered from where its parts are kept, and where its messages are put."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022 import decisions, reading
from postbus.domain.iso20022.answers.elements import Written
from postbus.domain.iso20022.conclusion import Asked, Case
from postbus.domain.iso20022.messages import Message
from postbus.domain.iso20022.reading import Reopened
from postbus.domain.iso20022.schemas import Schemas
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Document, Head
from postbus.ports_iso20022 import Documents, MessageStore

if TYPE_CHECKING:
    from postbus.runtime.config import Config


@dataclass(frozen=True, slots=True)
class Cases:
    """Where the parts of a case are.

    Attributes:
        incoming, outgoing: messages as they came, and as they are written.
        schemas: for messages that came; one without its schema is not read again.
    """

    store: MessageStore
    incoming: Documents
    outgoing: Documents
    schemas: Schemas

    @classmethod
    def bind(cls, config: "Config") -> "Cases":
        from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
        from postbus.adapters.iso20022_schemas import installed
        from postbus.adapters.s3_documents import S3Documents
        from postbus.runtime.clients import client

        return cls(
            DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE")),
            S3Documents(client("s3"), config.text("INCOMING_BUCKET")),
            S3Documents(client("s3"), config.text("OUTGOING_BUCKET")),
            installed(),
        )

    def of(self, transaction_id: str) -> Case:
        """All that is kept of a transaction, its message read again.

        Raises:
            InvariantBroken: there is no such transaction.
            Unavailable: a message that is kept is not there yet, or a store did not answer.
        """
        head = self.head(transaction_id)
        children = () if head.children is None else tuple(self.store.children(transaction_id))
        # After the transfers: whatever decision took one of them back is then seen.
        decided = self.store.decisions(transaction_id)
        return Case(
            head=head,
            history=self.store.history(transaction_id),
            children=children,
            standing=decisions.ending(decided, head),
            message=self._reopened(head.incoming),
            asked=[
                Asked(one, self._request(one)) for one in decided if one.kind is DecisionKind.CANCELLATION
            ],
            awaits_an_operator=decisions.awaits_an_operator(decided, head),
        )

    def head(self, transaction_id: str) -> Head:
        """Where a transaction stands; raises InvariantBroken where there is none."""
        head = self.store.head(transaction_id)
        if head is None:
            raise InvariantBroken(f"transaction {transaction_id} is not there")
        return head

    def put(self, transaction_id: str, messages: Mapping[str, Written | Document]) -> dict[str, Document]:
        """Store messages that were written, each under a key that nothing else can have; one that was stored
        before stands as it is."""
        return {
            name: message
            if isinstance(message, Document)
            else self.outgoing.put(_key(transaction_id, message), message.body)
            for name, message in messages.items()
        }

    def _request(self, asked: Decision) -> Message | None:
        found = self._reopened(asked.message).reading
        return None if found is None else found.message

    def _reopened(self, document: Document | None) -> Reopened:
        if document is None:
            return Reopened()
        body = self.incoming.get(document.key)
        if body is None:
            raise Unavailable(f"no message is found under {document.key}")
        return reading.reopen(body, self.schemas)


def _key(transaction_id: str, message: Written) -> str:
    return f"outgoing/{transaction_id}/{message.sha256}.xml"
