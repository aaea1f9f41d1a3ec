"""camt.029 ResolutionOfInvestigation: what came of a cancellation that was asked for."""

from collections.abc import Iterable

from postbus.domain.iso20022.answers.elements import (
    COUNT,
    NOT_PROVIDED,
    SUM,
    UETR,
    Element,
    Written,
    document,
    is_date,
    written,
)
from postbus.domain.iso20022.messages import Agent, Answer, MessageType, Reason, Standing, Status
from postbus.domain.iso20022.status import FINAL

TYPE = MessageType.of("camt.029.001.14")

# "No original transaction received": what is to be cancelled is not known here.
UNKNOWN = Reason("NOOR")

# Why a cancellation is refused or not yet decided (ExternalPaymentCancellationRejection1Code), by where the
# payment stands.  Why a payment was rejected is no reason of this kind.
REASONS: dict[str, tuple[Reason, ...]] = {
    Status.ACSC: (Reason("AGNT", ("It was settled before it could be cancelled.",)),),
    Status.PART: (Reason("AGNT", ("Part of it was settled before it could be cancelled.",)),),
    Status.RJCT: (Reason("NARR", ("It was rejected before it could be cancelled.",)),),
    Status.CANC: (),
}
_PENDING = (Reason("ARPL"),)


def is_final(answer: Answer) -> bool:
    """Whether it says what came of all that was to be cancelled, and nothing of it is pending."""
    return all(status in FINAL for status in _statuses(answer))


def write(answer: Answer, case_id: str | None = None) -> Written:
    """The answer as a camt.029.001.14.

    Args:
        answer: its original is the message of the payments, its statuses are theirs: CANC is a cancellation
            accepted, another final one is one rejected, and what is not final is pending.
        case_id: of the case that a camt.056 opened.
    """
    root, resolution = document(TYPE, "RsltnOfInvstgtn")
    assignment = resolution.add("Assgnmt")
    assignment.required("Id", answer.message_id)
    _agent(assignment.add("Assgnr"), answer.sender)
    _agent(assignment.add("Assgne"), answer.receiver)
    assignment.date_time("CreDtTm", answer.created_at)
    if case_id:
        case = resolution.add("RslvdCase")
        case.text("Id", case_id)
        _agent(case.add("Cretr"), answer.receiver)
    statuses = _statuses(answer)
    resolution.add("Sts").text("Conf", _all(statuses, {"ACCR": "CNCL"}, mixed="PECR"))
    details = resolution.add("CxlDtls")
    group = details.add("OrgnlGrpInfAndSts")
    group.required("OrgnlMsgId", answer.original.message_id)
    group.text("OrgnlMsgNmId", str(answer.original.message_type))
    group.quoted_date_time("OrgnlCreDtTm", answer.original.created_at)
    group.matching("OrgnlNbOfTxs", answer.original.number_of_transactions, COUNT)
    group.matching("OrgnlCtrlSum", answer.original.control_sum, SUM)
    group.text("GrpCxlSts", _all(statuses, {}, mixed="PACR"))
    if not answer.standings:
        group.reasons("CxlStsRsnInf", _reasons(answer))
    of_customer = answer.original.message_type.definition == "pain.001"
    for standing in answer.standings:
        _transaction(details.add("TxInfAndSts"), standing, of_customer)
    return written(TYPE, root)


def _statuses(answer: Answer) -> list[Status]:
    return [standing.status for standing in answer.standings] or [answer.status]


def _verdict(status: Status) -> str:
    """CancellationIndividualStatus1Code."""
    if status is Status.CANC:
        return "ACCR"
    return "RJCR" if status in FINAL else "PDCR"


def _all(statuses: Iterable[Status], names: dict[str, str], mixed: str) -> str:
    """The verdict on all of them: what they have in common, or pending while any of them is."""
    verdicts = {_verdict(status) for status in statuses}
    if "PDCR" in verdicts:
        return "PDCR"
    if len(verdicts) > 1:
        return mixed
    verdict = verdicts.pop()
    return names.get(verdict, verdict)


def _reasons(verdict: Answer | Standing) -> tuple[Reason, ...]:
    if verdict.status is Status.RJCT and any(reason.code == UNKNOWN.code for reason in verdict.reasons):
        return (UNKNOWN,)
    return REASONS.get(verdict.status, _PENDING)


def _agent(choice: Element, agent: Agent | None) -> None:
    choice.add("Agt").institution(agent or Agent(name=NOT_PROVIDED))


def _transaction(transaction: Element, standing: Standing, of_customer: bool) -> None:
    transaction.text("OrgnlInstrId", standing.instruction_id)
    transaction.text("OrgnlEndToEndId", standing.end_to_end_id)
    transaction.text("OrgnlTxId", standing.transaction_id)
    transaction.matching("OrgnlUETR", standing.uetr, UETR)
    transaction.text("TxCxlSts", _verdict(standing.status))
    transaction.reasons("CxlStsRsnInf", _reasons(standing))
    if not of_customer:
        transaction.amount("OrgnlIntrBkSttlmAmt", standing.amount)
        transaction.quoted_date("OrgnlIntrBkSttlmDt", standing.requested_date)
        return
    if standing.amount is None and not is_date(standing.requested_date):
        return
    # What a customer instructs has no interbank settlement amount.
    reference = transaction.add("OrgnlTxRef")
    if standing.amount is not None:
        reference.add("Amt").amount("InstdAmt", standing.amount)
    if is_date(standing.requested_date):
        reference.add("ReqdExctnDt").quoted_date("Dt", standing.requested_date)
