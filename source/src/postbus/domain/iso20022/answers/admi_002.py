"""admi.002 MessageReject: for what is no message at all, or none that is taken here."""

from dataclasses import dataclass
from datetime import datetime

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.answers.elements import Written, document, written
from postbus.domain.iso20022.messages import MessageType, Place, Reason

TYPE = MessageType.of("admi.002.001.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why what came in was not taken.

    Attributes:
        reference: the MsgId, where one could be read, else the transaction id.
        reasons: the first is the main one.
        place: where the fault stands.
    """

    reference: str
    refused_at: datetime
    reasons: tuple[Reason, ...]
    place: Place | None = None

    def __post_init__(self) -> None:
        if not self.reasons:
            raise InvariantBroken("a refusal without a reason")


def write(refusal: Refusal) -> Written:
    """The refusal as an admi.002.001.01."""
    root, reject = document(TYPE, "admi.002.001.01")
    # A UUID with its hyphens is one character too long.
    too_long = len(refusal.reference) > 35
    reject.add("RltdRef").required(
        "Ref", refusal.reference.replace("-", "") if too_long else refusal.reference
    )
    main, *others = refusal.reasons
    reason = reject.add("Rsn")
    reason.required("RjctgPtyRsn", main.code)
    reason.date_time("RjctnDtTm", refusal.refused_at)
    if refusal.place is not None:
        reason.text("ErrLctn", f"{refusal.place.path}, line {refusal.place.line}", 350)
    reason.text("RsnDesc", " ".join(main.additional), 350)
    further = (f"{other.code} {' '.join(other.additional)}".strip() for other in others)
    reason.text("AddtlData", "\n".join(further), 20000)
    return written(TYPE, root)
