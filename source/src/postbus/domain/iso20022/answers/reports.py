"""What the status reports pacs.002 and pain.002 have in common: the group they answer, and their reasons."""

from collections import Counter

from postbus.domain.iso20022 import progress
from postbus.domain.iso20022.answers.elements import COUNT, SUM, Element
from postbus.domain.iso20022.messages import Answer, Reason, Standing, Status


def add_group(group: Element, answer: Answer) -> None:
    """The content of ``OrgnlGrpInfAndSts``."""
    original = answer.original
    group.required("OrgnlMsgId", original.message_id)
    group.text("OrgnlMsgNmId", str(original.message_type))
    group.quoted_date_time("OrgnlCreDtTm", original.created_at)
    group.matching("OrgnlNbOfTxs", original.number_of_transactions, COUNT)
    group.matching("OrgnlCtrlSum", original.control_sum, SUM)
    group.text("GrpSts", answer.status)
    # Where transfers are listed, each tells why it is refused.
    explained = any(standing.reasons for standing in answer.standings)
    group.reasons("StsRsnInf", () if explained and not answer.reasons else _told(answer))
    counts = Counter(standing.status for standing in answer.standings)
    for status in Status:
        if counts[status]:
            number = group.add("NbOfTxsPerSts")
            number.text("DtldNbOfTxs", str(counts[status]))
            number.text("DtldSts", status)


def add_reasons(transaction: Element, standing: Standing) -> None:
    """The ``StsRsnInf`` of a transfer."""
    transaction.reasons("StsRsnInf", _told(standing))


def _told(verdict: Answer | Standing) -> tuple[Reason, ...]:
    """Its reasons as far as they may be told; a rejection is never without one."""
    reasons = verdict.reasons
    if verdict.status is Status.RJCT and not reasons:
        reasons = (progress.UNSPECIFIED,)
    return progress.told(verdict.status, reasons)
