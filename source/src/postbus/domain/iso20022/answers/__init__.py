"""Outgoing messages: each answer as the message that its request is answered with."""

from enum import StrEnum

from postbus.domain.iso20022.answers import admi_002, camt_029, pacs_002, pain_002
from postbus.domain.iso20022.answers.elements import Written
from postbus.domain.iso20022.messages import Answer, MessageType
from postbus.domain.iso20022.progress import UNSPECIFIED, told
from postbus.domain.iso20022.workflow import transfer_key


class Kind(StrEnum):
    """What a message is about its transaction, as three letters of its id."""

    STATUS = "STS"
    CANCELLATION = "CXL"
    CANCELLATION_PENDING = "CXP"
    CREDIT_NOTIFICATION = "NTF"


def message_id(transaction_id: str, kind: Kind) -> str:
    """The MsgId of an outgoing message: 32 small letters and three capitals.

    Derived, so writing it again is writing the same message.  The letters are those of the pipeline's ids of
    its transfers, so that one search finds both.

    Args:
        transaction_id: UUID in its 36-character form.
    """
    letters, _, _ = transfer_key(transaction_id, 1).partition("-")
    return f"{letters}{kind}"


def write(answer: Answer, request: MessageType, case_id: str | None = None) -> Written:
    """The answer as the message that answers ``request``.

    ==========================  ========================================
    request                     answered by
    ==========================  ========================================
    pacs.008, pacs.004          pacs.002.001.10
    pain.001                    pain.002, see ``pain_002.VERSIONS``
    pacs.028                    as the message it asks about
    camt.056                    camt.029.001.14, see ``camt_029.write``
    anything else               admi.002.001.01
    ==========================  ========================================

    Args:
        request: type of the message that came in.
        case_id: of the case that a camt.056 opened.
    """
    answered = answer.original.message_type if request.definition == "pacs.028" else request
    match answered.definition:
        case "pacs.008" | "pacs.004" | "pacs.028":
            return pacs_002.write(answer)
        case "pain.001":
            return pain_002.write(answer, answered)
        case "camt.056":
            return camt_029.write(answer, case_id)
        case _:
            refusal = admi_002.Refusal(
                reference=answer.original.message_id,
                refused_at=answer.created_at,
                reasons=told(answer.status, answer.reasons) or (UNSPECIFIED,),
            )
            return admi_002.write(refusal)
