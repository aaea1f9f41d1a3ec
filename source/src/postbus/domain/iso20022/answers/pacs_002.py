"""pacs.002 FIToFIPaymentStatusReport: where the transfers of a pacs.008, or returns of a pacs.004, stand."""

from postbus.domain.iso20022.answers import reports
from postbus.domain.iso20022.answers.elements import UETR, Element, Written, document, is_date, written
from postbus.domain.iso20022.messages import Answer, MessageType, Standing

TYPE = MessageType.of("pacs.002.001.10")


def write(answer: Answer) -> Written:
    """The answer as a pacs.002.001.10."""
    root, report = document(TYPE, "FIToFIPmtStsRpt")
    header = report.add("GrpHdr")
    header.required("MsgId", answer.message_id)
    header.date_time("CreDtTm", answer.created_at)
    header.agent("InstgAgt", answer.sender)
    header.agent("InstdAgt", answer.receiver)
    reports.add_group(report.add("OrgnlGrpInfAndSts"), answer)
    for standing in answer.standings:
        _transaction(report.add("TxInfAndSts"), standing)
    return written(TYPE, root)


def _transaction(transaction: Element, standing: Standing) -> None:
    transaction.text("OrgnlInstrId", standing.instruction_id)
    transaction.text("OrgnlEndToEndId", standing.end_to_end_id)
    transaction.text("OrgnlTxId", standing.transaction_id)
    transaction.matching("OrgnlUETR", standing.uetr, UETR)
    transaction.text("TxSts", standing.status)
    reports.add_reasons(transaction, standing)
    if standing.settled_at is not None:
        transaction.add("FctvIntrBkSttlmDt").date("Dt", standing.settled_at)
    # Here the instructing agent is the sender of the report: whoever was instructed before.
    transaction.agent("InstgAgt", standing.instructed_agent)
    transaction.agent("InstdAgt", standing.instructing_agent)
    if standing.amount is not None or is_date(standing.requested_date):
        reference = transaction.add("OrgnlTxRef")
        reference.amount("IntrBkSttlmAmt", standing.amount)
        reference.quoted_date("IntrBkSttlmDt", standing.requested_date)
