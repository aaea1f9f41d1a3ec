"""camt.054 BankToCustomerDebitCreditNotification: what was credited, for the creditor's side."""

from dataclasses import dataclass
from datetime import datetime

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.answers.elements import IBAN, UETR, Element, Written, document, is_date, written
from postbus.domain.iso20022.messages import AccountIdentification, MessageType
from postbus.domain.money import Money

TYPE = MessageType.of("camt.054.001.08")

# Of the message's own id as much as leaves room for the number of a notification in it.
_SHARED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """One transfer that was booked.

    Attributes:
        account: the creditor's.
        booked_at: when the ledger booked it.
        value_date: ISO date; the day of booking where there is none.
    """

    account: AccountIdentification
    amount: Money
    booked_at: datetime
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    uetr: str | None = None
    value_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """An outgoing notification, before it is XML.

    Attributes:
        message_id: derived from the transaction.
        original_message_id: ``MsgId`` of the message the transfers came in.
        credits: one or more, of one or more accounts.
    """

    message_id: str
    created_at: datetime
    credits: tuple[Credit, ...]
    original_message_id: str | None = None

    def __post_init__(self) -> None:
        if not self.credits:
            raise InvariantBroken("a credit notification without credits")


def write(notification: Notification) -> Written:
    """The notification as a camt.054.001.08, one ``Ntfctn`` for each account; it names no debtor."""
    root, message = document(TYPE, "BkToCstmrDbtCdtNtfctn")
    header = message.add("GrpHdr")
    header.required("MsgId", notification.message_id)
    header.date_time("CreDtTm", notification.created_at)
    accounts: dict[AccountIdentification, list[Credit]] = {}
    for credit in notification.credits:
        accounts.setdefault(credit.account, []).append(credit)
    for number, (account, credits) in enumerate(accounts.items(), 1):
        told = message.add("Ntfctn")
        told.required("Id", f"{notification.message_id[:_SHARED]}{number:05}")
        told.date_time("CreDtTm", notification.created_at)
        _account(told.add("Acct"), account)
        for credit in credits:
            _entry(told.add("Ntry"), credit, notification.original_message_id)
    return written(TYPE, root)


def _account(element: Element, account: AccountIdentification) -> None:
    identification = element.add("Id")
    if account.iban is not None and IBAN.fullmatch(account.iban):
        identification.text("IBAN", account.iban)
    else:
        identification.add("Othr").required("Id", account.other or account.iban, 34)


def _entry(entry: Element, credit: Credit, original_message_id: str | None) -> None:
    entry.amount("Amt", credit.amount)
    entry.text("CdtDbtInd", "CRDT")
    entry.add("Sts").text("Cd", "BOOK")
    entry.add("BookgDt").date_time("DtTm", credit.booked_at)
    value = entry.add("ValDt")
    if is_date(credit.value_date):
        value.quoted_date("Dt", credit.value_date)
    else:
        value.date("Dt", credit.booked_at)
    # Payments, received credit transfers, no further told apart.
    domain = entry.add("BkTxCd").add("Domn")
    domain.text("Cd", "PMNT")
    family = domain.add("Fmly")
    family.text("Cd", "RCDT")
    family.text("SubFmlyCd", "OTHR")
    references = entry.add("NtryDtls").add("TxDtls").add("Refs")
    references.text("MsgId", original_message_id)
    references.text("InstrId", credit.instruction_id)
    references.text("EndToEndId", credit.end_to_end_id)
    references.matching("UETR", credit.uetr, UETR)
    references.text("TxId", credit.transaction_id)
