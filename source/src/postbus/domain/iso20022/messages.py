"""ISO 20022 messages as values: what was asked for, freed of XML and of the message's version."""

import re
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from postbus.domain.errors import Malformed
from postbus.domain.money import Money

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_IDENTIFIER = re.compile(r"([a-z]{4}\.\d{3})\.(\d{3})\.(\d{2})")


@dataclass(frozen=True, slots=True)
class MessageType:
    """A message definition in one version.

    Attributes:
        definition: business area and message, such as ``pacs.008``.
        variant: three digits, ``001`` for the base message.
        version: 8 for ``pacs.008.001.08``.
    """

    definition: str
    variant: str
    version: int

    @classmethod
    def of(cls, identifier: str) -> Self:
        """Read ``pacs.008.001.08``; raises Malformed for anything else."""
        found = _IDENTIFIER.fullmatch(identifier)
        if found is None:
            raise Malformed("message type", "an ISO 20022 message identifier such as pacs.008.001.08")
        return cls(found[1], found[2], int(found[3]))

    @classmethod
    def of_namespace(cls, namespace: str) -> Self | None:
        """The message of an XML namespace; ``None`` when it is no ISO 20022 message's."""
        identifier = namespace.removeprefix(_NAMESPACE)
        if identifier == namespace or not _IDENTIFIER.fullmatch(identifier):
            return None
        return cls.of(identifier)

    @property
    def namespace(self) -> str:
        return f"{_NAMESPACE}{self}"

    def __str__(self) -> str:
        return f"{self.definition}.{self.variant}.{self.version:02}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is.

    Attributes:
        code: ISO 20022 ExternalStatusReason1Code, such as ``AM04``.
        additional: lines of at most 105 characters: what was expected, path, line; never personal data.
    """

    code: str
    additional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a message something stands.

    Attributes:
        path: indexed, such as ``/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]/PmtId/UETR``.
        line: the first is 1.
    """

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What a check found.

    Attributes:
        transfer: number of the transfer it stands in, the first is 1; ``None`` for the whole message.
    """

    reason: Reason
    place: Place
    transfer: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A financial institution (``FinInstnId``): whatever of it the message names."""

    bic: str | None = None
    lei: str | None = None
    clearing_system: str | None = None
    clearing_member: str | None = None
    name: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A debtor, creditor or ultimate one.  Personal data: kept out of logs, events and errors.

    Attributes:
        address_lines: unstructured ``AdrLine``.
        has_identification: whether ``Id`` names the party beside its name.
    """

    name: str | None = None
    country: str | None = None
    town: str | None = None
    address_lines: tuple[str, ...] = ()
    country_of_residence: str | None = None
    bic: str | None = None
    lei: str | None = None
    has_identification: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIdentification:
    """``IBAN`` or ``Othr/Id`` of an account."""

    iban: str | None = None
    other: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What an answer quotes of a transfer: how it is named, and who instructed whom when.

    Attributes:
        number: its place in the message, the first is 1.
        payment_information_id: of the PmtInf it stands in (pain.001).
        requested_date: ISO date of settlement or requested execution.
    """

    number: int
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    payment_information_id: str | None = None
    uetr: str | None = None
    instructing_agent: Agent | None = None
    instructed_agent: Agent | None = None
    requested_date: str | None = None


def quoted(one: Quoted) -> dict[str, Any]:
    """The fields of ``Quoted`` alone, whatever else it is."""
    return {each.name: getattr(one, each.name) for each in fields(Quoted)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Quoted):
    """One credit transfer of a pacs.008 or pain.001.

    Attributes:
        place: of its CdtTrfTxInf.
        amount: interbank settlement amount (pacs.008) or instructed amount (pain.001).
        instructed: instructed amount where it differs in currency (pacs.008).
        payment_method: ISO 20022 PaymentMethod3Code, of its PmtInf (pain.001).
        service_level: ISO 20022 ExternalServiceLevel1Code; the first, where there are several.
        local_instrument: ISO 20022 ExternalLocalInstrument1Code.
        category_purpose: ISO 20022 ExternalCategoryPurpose1Code.
        purpose: ISO 20022 ExternalPurpose1Code.
        further_agents: whichever else the message names for it: between the two agents, before the
            instructing one, for settlement and charges; ``further_parties``: who initiated it, is invoiced.
    """

    place: Place
    amount: Money
    end_to_end_id: str
    debtor: Party
    debtor_agent: Agent
    creditor: Party
    creditor_agent: Agent
    debtor_account: AccountIdentification | None = None
    creditor_account: AccountIdentification | None = None
    ultimate_debtor: Party | None = None
    ultimate_creditor: Party | None = None
    instructed: Money | None = None
    exchange_rate: str | None = None
    charge_bearer: str | None = None
    purpose: str | None = None
    payment_method: str | None = None
    service_level: str | None = None
    local_instrument: str | None = None
    category_purpose: str | None = None
    further_agents: tuple[Agent, ...] = ()
    further_parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Quoted):
    """A transfer or return whose amount is none: what an answer quotes of it, so that it can be refused."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One returned transfer of a pacs.004.

    Attributes:
        amount: returned interbank settlement amount.
        original_amount: interbank settlement amount of what is returned; more than ``amount`` when part is.
        reason: ISO 20022 ExternalReturnReason1Code, if it is a code.
    """

    number: int
    place: Place
    amount: Money
    original_message_id: str | None = None
    original_message_type: str | None = None
    original_instruction_id: str | None = None
    original_end_to_end_id: str | None = None
    original_transaction_id: str | None = None
    original_uetr: str | None = None
    original_amount: Money | None = None
    return_id: str | None = None
    reason: str | None = None
    instructing_agent: Agent | None = None
    instructed_agent: Agent | None = None
    requested_date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Which earlier message, and which of its transfers, a camt.056 or pacs.028 is about.

    Attributes:
        request_id: its own id of this one (camt.056 ``CxlId``, pacs.028 ``StsReqId``).
        reason: why (camt.056: ExternalCancellationReason1Code).
    """

    number: int
    place: Place
    request_id: str | None = None
    original_message_id: str | None = None
    original_message_type: str | None = None
    original_instruction_id: str | None = None
    original_end_to_end_id: str | None = None
    original_transaction_id: str | None = None
    original_uetr: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came in, whole: one of the three lists is filled, but for what is unreadable.

    Attributes:
        message_id: ``MsgId`` (camt.056: the assignment's ``Id``).
        created_at: ``CreDtTm`` as it stands.
        sender: the agent it comes from (instructing agent, or assigner), else the initiating party's BIC.
        receiver: the agent it is for (instructed agent, or assignee).
        number_of_transactions: ``NbOfTxs`` as it stands, and ``control_sum`` likewise.
        case_id: of the case a camt.056 belongs to.
    """

    type: MessageType
    message_id: str
    created_at: str
    sender: Agent | None = None
    receiver: Agent | None = None
    initiating_party: Party | None = None
    number_of_transactions: str | None = None
    control_sum: str | None = None
    case_id: str | None = None
    transfers: tuple[Transfer, ...] = ()
    returns: tuple[Return, ...] = ()
    references: tuple[Reference, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


class Status(StrEnum):
    """ISO 20022 ExternalPaymentTransactionStatus1Code, as far as used here."""

    ACCP = "ACCP"
    ACTC = "ACTC"
    PDNG = "PDNG"
    ACSP = "ACSP"
    ACSC = "ACSC"
    PART = "PART"
    RJCT = "RJCT"
    CANC = "CANC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What an answer quotes of the message it answers."""

    message_id: str
    message_type: MessageType
    created_at: str | None = None
    number_of_transactions: str | None = None
    control_sum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Quoted):
    """Where one transfer stands: what an answer quotes of it, and its verdict.

    Attributes:
        amount: ``None`` for one whose amount could not be read.
        settled_at: when it was booked, for one that was.
    """

    status: Status
    amount: Money | None = None
    reasons: tuple[Reason, ...] = ()
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An outgoing message, before it is XML.

    Attributes:
        message_id: derived from the transaction it answers, so that writing it again writes the same one.
        status: of the message as a whole.
        reasons: of the message as a whole.
        standings: one for each transfer, in the order of the message; empty when none could be read.
    """

    message_id: str
    created_at: datetime
    original: Original
    status: Status
    reasons: tuple[Reason, ...] = ()
    standings: tuple[Standing, ...] = ()
    sender: Agent | None = None
    receiver: Agent | None = None
