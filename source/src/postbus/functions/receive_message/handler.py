"""Take the message that a client has handed in: read what it says it is, and let it be processed.

ACCP -> ACTC

What is no message, or none that is taken, is kept as it came and refused by the release, so that its sender
finds out why.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.claim_check import checked
from postbus.domain.iso20022.deadlines import Deadlines
from postbus.domain.iso20022.messages import Fault, MessageType, Place, Reason, Status
from postbus.domain.iso20022.workflow import Entry, Head, Next, Step, StepCall, StepName, StepResult, Took
from postbus.runtime.entry import step_function

# Whoever hands a message in waits for this function's first steps: what only types need is not imported.
if TYPE_CHECKING:
    from postbus.ports import Clock
    from postbus.ports_iso20022 import Documents, MessageStore
    from postbus.runtime.config import Config

_BY = StepName.RECEIVE.value
# What an answer quotes of a message whose id cannot be read.
_NO_ID = "NOTPROVIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a message says it is.

    Attributes:
        reasons: why it is refused, for one that is.
    """

    type: MessageType | None = None
    message_id: str = _NO_ID
    reasons: tuple[Reason, ...] = ()


def build(
    messages: "MessageStore",
    documents: "Documents",
    clock: "Clock",
    limit_bytes: int,
    deadlines: Deadlines,
) -> Step:
    """Bind the step to its ports.

    Args:
        documents: the incoming ones.
        limit_bytes: the most a message may have.
        deadlines: how long it may be open, now that its type is known.
    """

    def receive(call: StepCall) -> StepResult:
        head = messages.head(call.transaction_id)
        if head is None:
            raise InvariantBroken(f"transaction {call.transaction_id} is not there")
        if head.status is Status.ACCP:
            found = read(head)
            entry = Entry(status=Status.ACTC, at=clock(), by=_BY, reasons=found.reasons)
            if found.type is not None:
                messages.describe(head.transaction_id, found.type, found.message_id)
            # From now and not from its arrival: a deadline may come late, but never early.
            deadline = None if found.type is None else clock() + deadlines.of(found.type)
            head = messages.append(head, entry, deadline=deadline)
        if head.status is not Status.ACTC:
            return Took()
        return Next(StepName.RELEASE if head.reasons else StepName.PROCESS)

    def read(head: Head) -> Read:
        from postbus.domain.iso20022 import header, reading, xml
        from postbus.domain.iso20022.faults import fault

        document = xml.read(body_of(head), limit_bytes)
        if isinstance(document, Fault):
            return Read(reasons=(document.reason,))
        refusal = fault("AG03", "a message that is taken here", Place("/Document", 1)).reason
        return Read(
            type=document.type,
            message_id=header.message_id(document) or _NO_ID,
            reasons=() if reading.is_readable(document.type) else (refusal,),
        )

    def body_of(head: Head) -> bytes:
        if head.incoming is None:
            raise InvariantBroken(f"{head.transaction_id} has no message to receive")
        return checked(head.incoming, documents.get(head.incoming.key))

    return receive


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.s3_documents import S3Documents
    from postbus.runtime.clients import client, now

    return build(
        DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE")),
        S3Documents(client("s3"), config.text("INCOMING_BUCKET")),
        now,
        config.integer("LARGEST_MESSAGE_BYTES"),
        Deadlines.of_text(config.text("DEADLINE_SECONDS")),
    )


lambda_handler = step_function(StepName.RECEIVE, bind)
