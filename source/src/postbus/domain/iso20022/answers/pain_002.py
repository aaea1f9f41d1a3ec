"""pain.002 CustomerPaymentStatusReport: where the transfers of a pain.001 stand, by payment information."""

from dataclasses import replace

from postbus.domain.iso20022 import progress
from postbus.domain.iso20022.answers import reports
from postbus.domain.iso20022.answers.elements import (
    NOT_PROVIDED,
    UETR,
    Element,
    Written,
    document,
    is_date,
    written,
)
from postbus.domain.iso20022.messages import Answer, MessageType, Reason, Standing, Status
from postbus.domain.iso20022.workflow import DecisionKind

# The pain.002 for a pain.001 of this version or a later one: of those with a schema in the package, the one
# of its own time, else the next.
VERSIONS: dict[int, MessageType] = {
    1: MessageType.of("pain.002.001.03"),
    4: MessageType.of("pain.002.001.12"),
    12: MessageType.of("pain.002.001.14"),
    13: MessageType.of("pain.002.001.15"),
}

# It knows no UETR and no LEI, takes statuses from a closed list without CANC, and has other names for things.
_OLD = VERSIONS[1]


def type_for(request: MessageType) -> MessageType:
    """The pain.002 that answers a pain.001 of this version."""
    return VERSIONS[max(first for first in VERSIONS if first <= max(request.version, 1))]


def write(answer: Answer, request: MessageType) -> Written:
    """The answer as a pain.002 of the version that fits the pain.001."""
    type = type_for(request)
    if type == _OLD:
        answer = _without_cancelled(answer)
    root, report = document(type, "CstmrPmtStsRpt")
    header = report.add("GrpHdr")
    header.required("MsgId", answer.message_id)
    header.date_time("CreDtTm", answer.created_at)
    header.agent("DbtrAgt", answer.sender, "BIC" if type == _OLD else "BICFI")
    reports.add_group(report.add("OrgnlGrpInfAndSts"), answer)
    groups: dict[str, list[Standing]] = {}
    for standing in answer.standings:
        groups.setdefault(standing.payment_information_id or NOT_PROVIDED, []).append(standing)
    for name, standings in groups.items():
        information = report.add("OrgnlPmtInfAndSts")
        information.text("OrgnlPmtInfId", name)
        information.text("PmtInfSts", progress.together(standing.status for standing in standings))
        for standing in standings:
            _transaction(information.add("TxInfAndSts"), standing, type)
    return written(type, root)


def _without_cancelled(answer: Answer) -> Answer:
    """The answer with what was cancelled as rejected, for the reason that it was cancelled."""

    def rejected(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        return reasons or (progress.DECISION_REASONS[DecisionKind.CANCELLATION],)

    standings = tuple(
        replace(standing, status=Status.RJCT, reasons=rejected(standing.reasons))
        if standing.status is Status.CANC
        else standing
        for standing in answer.standings
    )
    if answer.status is Status.CANC:
        answer = replace(answer, status=Status.RJCT, reasons=rejected(answer.reasons))
    return replace(answer, standings=standings)


def _transaction(transaction: Element, standing: Standing, type: MessageType) -> None:
    transaction.text("OrgnlInstrId", standing.instruction_id)
    transaction.text("OrgnlEndToEndId", standing.end_to_end_id)
    if type != _OLD:
        transaction.matching("OrgnlUETR", standing.uetr, UETR)
    transaction.text("TxSts", standing.status)
    reports.add_reasons(transaction, standing)
    if standing.amount is None and not is_date(standing.requested_date):
        return
    reference = transaction.add("OrgnlTxRef")
    if standing.amount is not None:
        reference.add("Amt").amount("InstdAmt", standing.amount)
    if type == _OLD:
        reference.quoted_date("ReqdExctnDt", standing.requested_date)
    elif is_date(standing.requested_date):
        reference.add("ReqdExctnDt").quoted_date("Dt", standing.requested_date)
