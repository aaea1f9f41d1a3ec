"""The business validation of a message: what its schema cannot say, each finding with its standard reason.

What the base standard allows passes, but for a payment on a later day: all are booked at once.  What a
market, a scheme or an agreement asks for beyond it is in ``Agreement``, and nothing of it holds by default:
names in any script (XML is UTF-8), unstructured addresses, settlement dates of any age, LEIs of the right
form, codes of any list.  The external code sets change every quarter and are not kept here: an agreement
lists the codes it takes.

A finding of the whole message refuses it; one of a transfer refuses that transfer, and the rest goes on.

Source: ISO 20022 ExternalStatusReason1Code for the codes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from postbus.domain.iso20022.amounts import decimal
from postbus.domain.iso20022.elements import Children, children, descend, text, token
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.identifiers import COUNTRIES, is_bic, is_iban, is_lei, is_member
from postbus.domain.iso20022.message_source import Control, Reading, Scope
from postbus.domain.iso20022.messages import (
    AccountIdentification,
    Agent,
    Fault,
    Party,
    Place,
    Return,
    Transfer,
)
from postbus.domain.money import Money

# An amount of the pipeline's records has at most twelve digits.
MOST_MINOR: Final = 999_999_999_999

_MOST_ADDRESS_LINES = 2
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2}|T.*)?")
_NOT_PROVIDED = "NOTPROVIDED"
# A finding of one transfer: code, what was expected, steps to the place.
_Found = tuple[str, str, str]

_ONE_LEVEL = frozenset({"pacs.008", "pacs.004"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is agreed with a client, or asked for by a scheme, beyond the base standard.

    Attributes:
        currencies: the ones taken; ``None`` for all that ISO 4217 gives minor units.
        agreed_limits: by currency, the most minor units of one transfer that the client may send.
        clearing_limits: the same of the clearing.
        most_transfers: how many a message may have: each is checked and funded within one run of a function.
        most_days_past: how many days ago a settlement or execution date may lie; ``None`` for any.
        most_days_ahead: how many days from now; ``None`` for any.  What is taken is booked at once, whatever
            its date: unless more is agreed one day passes, for clocks of other zones.
        most_ahead: how far in the future a message may be created: clocks differ, a time may lack its zone.
        holidays: dates on which nothing is settled; ``closed_weekdays`` likewise, Monday being 0.
        cut_off: the time (UTC) until which a transfer for the same day is taken.
        structured_addresses_from: from that day on an address needs town and country, with at most two
            lines beside them.
        travel_rule: whether debtor's account or identification, debtor's name and address or
            identification, and creditor's name and address are asked for (FATF recommendation 16).
        addresses_required: whether debtor and creditor need an address.
        leis_proven: whether the check digits of LEIs are tested; the base standard asks for their form only.
        members_proven: whether members of the clearing systems known here must have these systems' form.
        characters: a pattern for every text of a transfer.
        charge_bearers: the codes taken; ``service_levels`` and the rest likewise; ``None`` for any.
    """

    currencies: frozenset[str] | None = None
    agreed_limits: Mapping[str, int] = field(default_factory=dict)
    clearing_limits: Mapping[str, int] = field(default_factory=dict)
    most_transfers: int = 2_500
    most_days_past: int | None = None
    most_days_ahead: int | None = 1
    most_ahead: timedelta = timedelta(days=1)
    holidays: frozenset[date] = frozenset()
    closed_weekdays: frozenset[int] = frozenset()
    cut_off: time | None = None
    structured_addresses_from: date | None = None
    travel_rule: bool = False
    addresses_required: bool = False
    leis_proven: bool = False
    members_proven: bool = False
    characters: str | None = None
    charge_bearers: frozenset[str] | None = None
    service_levels: frozenset[str] | None = None
    local_instruments: frozenset[str] | None = None
    category_purposes: frozenset[str] | None = None
    purposes: frozenset[str] | None = None


def check(reading: Reading, agreement: Agreement, now: datetime) -> tuple[Fault, ...]:
    """Everything that is wrong with a message, what reading it found included.

    Args:
        now: the moment it is judged at, with a zone.
    """
    message = reading.message
    found = [*reading.faults, *_creation(reading, agreement, now), *_crowd(reading, agreement)]
    for control in reading.controls:
        found += _control(control, message.type.definition in _ONE_LEVEL)
    found += _repeated(reading)
    judge = _Judge(reading, agreement, now)
    for transfer in message.transfers:
        found += judge.transfer(transfer)
    for returned in message.returns:
        found += judge.returned(returned)
    return tuple(found)


def _crowd(reading: Reading, agreement: Agreement) -> Iterator[Fault]:
    message = reading.message
    count = len(message.transfers) + len(message.returns) + len(message.unreadable)
    if count > agreement.most_transfers:
        yield reading.header_fault("AM18", f"at most {agreement.most_transfers} transfers", "NbOfTxs")


def _creation(reading: Reading, agreement: Agreement, now: datetime) -> Iterator[Fault]:
    created = _moment(reading.message.created_at)
    if created is None or created > now + agreement.most_ahead:
        yield reading.header_fault("DT02", "a date and time that is not in the future", "CreDtTm")


def _control(control: Control, one_level: bool) -> Iterator[Fault]:
    """Number and sums as the message gives them, against what is in it."""
    parts, scope = children(control.scope.element), control.scope
    count = text(parts.get("NbOfTxs"))
    if count is not None and int(count) != len(control.transfers):
        code = ("AM18" if one_level else "AM19") if control.is_group else "AM20"
        expected = f"the number of transactions there are, {len(control.transfers)}"
        yield from _of_all(control, code, expected, scope.find("NbOfTxs"))
    given = token(parts.get("CtrlSum"))
    if given is not None and decimal(given) != control.amount_sum:
        yield from _of_all(control, "AM10", "the sum of the amounts", scope.find("CtrlSum"))
    for name in ("TtlIntrBkSttlmAmt", "TtlRtrdIntrBkSttlmAmt"):
        if name in parts and not _is_total(parts, name, control):
            expected = "the sum of the amounts, all of this currency"
            yield from _of_all(control, "AM10", expected, scope.find(name))


def _is_total(parts: Children, name: str, control: Control) -> bool:
    total: Decimal = decimal(token(parts[name]))
    return total == control.amount_sum and control.currencies <= {parts[name].get("Ccy", "")}


def _of_all(control: Control, code: str, expected: str, place: Place | None) -> Iterator[Fault]:
    """A finding of the whole message; or, of one PmtInf, of each transfer in it."""
    numbers: Sequence[int | None] = (None,) if control.is_group else control.transfers
    for number in numbers:
        yield fault(code, expected, place or control.scope.place, number)


def _repeated(reading: Reading) -> Iterator[Fault]:
    """References that stand for more than one transfer: each but the first is refused."""
    seen: set[tuple[str, ...]] = set()
    for number, steps, key in _references(reading):
        if key in seen:
            yield reading.fault(
                "RF01", "a reference that no other transfer of the message has", number, steps
            )
        seen.add(key)
    blocks: dict[str, Scope] = {}
    for transfer in reading.message.transfers:
        block = transfer.payment_information_id
        if block is None:
            continue
        first = blocks.setdefault(block, reading.scopes[transfer.number][1])
        if reading.scopes[transfer.number][1].path != first.path:
            expected = "a PmtInfId that no other PmtInf of the message has"
            yield reading.fault("RF01", expected, transfer.number, "PmtInfId")


def _references(reading: Reading) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Number, steps and identity of each reference that must not be repeated."""
    for one in reading.message.transfers:
        if one.uetr is not None:
            yield one.number, "PmtId/UETR", ("UETR", one.uetr)
        if one.transaction_id is not None:
            yield one.number, "PmtId/TxId", ("TxId", one.transaction_id)
        if one.instruction_id is not None:
            # Unique between two parties: in another PmtInf another may have used it.
            block = one.payment_information_id or ""
            yield one.number, "PmtId/InstrId", ("InstrId", block, one.instruction_id)
        if one.end_to_end_id != _NOT_PROVIDED:
            yield one.number, "PmtId/EndToEndId", ("EndToEndId", *end_to_end_scope(one))
    for returned in reading.message.returns:
        if returned.return_id is not None:
            yield returned.number, "RtrId", ("RtrId", returned.return_id)


def end_to_end_scope(transfer: Transfer) -> tuple[str, str, str]:
    """What an EndToEndId is unique within: debtors choose it, and many use one for a whole pay-roll."""
    return (
        _of_account(transfer.debtor_account),
        _of_account(transfer.creditor_account),
        transfer.end_to_end_id,
    )


def _of_account(account: AccountIdentification | None) -> str:
    return "" if account is None else account.iban or account.other or ""


@dataclass(slots=True)
class _Judge:
    """The checks of one transfer after the other."""

    reading: Reading
    agreement: Agreement
    now: datetime
    _days: dict[str | None, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        if self.agreement.characters is not None:
            self._pattern = re.compile(self.agreement.characters)

    def transfer(self, one: Transfer) -> Iterator[Fault]:
        interbank = self.reading.message.type.definition == "pacs.008"
        amount = "IntrBkSttlmAmt" if interbank else "Amt"
        found = [
            *self._amount(one.amount, amount),
            *_account(one.debtor_account, "DbtrAcct", "AC02"),
            *_account(one.creditor_account, "CdtrAcct", "AC03"),
            *_agent(one.debtor_agent, "DbtrAgt", "RC03"),
            *_agent(one.creditor_agent, "CdtrAgt", "RC04"),
            *_agent(one.instructing_agent, "InstgAgt", "RC05"),
            *_agent(one.instructed_agent, "InstdAgt", "RC05"),
            *_party(one.debtor, "Dbtr", "BE10", "BE16"),
            *_party(one.creditor, "Cdtr", "BE11", "BE17"),
            *_party(one.ultimate_debtor, "UltmtDbtr", "BE09", "BE15"),
            *_party(one.ultimate_creditor, "UltmtCdtr", "BE09", "BE15"),
            *self._addresses(one),
            *self._codes(one),
            *self._date(one.requested_date, "IntrBkSttlmDt" if interbank else "ReqdExctnDt"),
        ]
        if interbank:
            found += _names(one)
        if self.agreement.travel_rule:
            found += _travel_rule(one)
        if self.agreement.leis_proven:
            found += _leis(one)
        if self.agreement.members_proven:
            found += _members(one)
        for code, expected, steps in found:
            yield self.reading.fault(code, expected, one.number, steps)
        yield from self._characters(one.number)

    def returned(self, one: Return) -> Iterator[Fault]:
        found = [
            *self._amount(one.amount, "RtrdIntrBkSttlmAmt"),
            *_agent(one.instructing_agent, "InstgAgt", "RC05"),
            *_agent(one.instructed_agent, "InstdAgt", "RC05"),
            *self._date(one.requested_date, "IntrBkSttlmDt"),
        ]
        original = one.original_amount
        if (
            original is not None
            and original.currency == one.amount.currency
            and original.minor < one.amount.minor
        ):
            found.append(("AM09", "at most the original amount", "RtrdIntrBkSttlmAmt"))
        if not _names_original(one):
            expected = "OrgnlUETR, OrgnlTxId, OrgnlEndToEndId or OrgnlInstrId"
            found.append(("CH21", expected, "OrgnlEndToEndId"))
        if not self._has_reason(one.number):
            found.append(("CH21", "the reason of the return", "RtrRsnInf"))
        for code, expected, steps in found:
            yield self.reading.fault(code, expected, one.number, steps)
        yield from self._characters(one.number)

    def _amount(self, amount: Money, steps: str) -> Iterator[_Found]:
        agreement = self.agreement
        if agreement.currencies is not None and amount.currency not in agreement.currencies:
            yield "AM03", "a currency that is agreed", steps
        if amount.minor > min(agreement.clearing_limits.get(amount.currency, MOST_MINOR), MOST_MINOR):
            yield "AM13", "an amount within the clearing's limit", steps
        elif amount.minor > agreement.agreed_limits.get(amount.currency, MOST_MINOR):
            yield "AM14", "an amount within the agreed limit", steps

    def _date(self, given: str | None, steps: str) -> Iterator[_Found]:
        # Of a thousand transfers most have one date.
        if given not in self._days:
            self._days[given] = tuple(self._day(given))
        for code, expected in self._days[given]:
            yield code, expected, steps

    def _day(self, given: str | None) -> Iterator[tuple[str, str]]:
        if given is None:
            return
        agreement, today = self.agreement, self.now.astimezone(UTC).date()
        day = _day(given)
        if day is None:
            yield "DT01", "a date of the calendar"
            return
        if agreement.most_days_past is not None and (today - day).days > agreement.most_days_past:
            yield "DT01", f"a date at most {agreement.most_days_past} days ago"
        if agreement.most_days_ahead is not None and (day - today).days > agreement.most_days_ahead:
            yield "DT01", f"a date at most {agreement.most_days_ahead} days ahead"
        if day in agreement.holidays or day.weekday() in agreement.closed_weekdays:
            yield "DT03", "a day on which payments are settled"
        if agreement.cut_off and day == today and self.now.astimezone(UTC).time() > agreement.cut_off:
            yield "TM01", "to arrive before the cut-off time of the day"

    def _addresses(self, one: Transfer) -> Iterator[_Found]:
        start = self.agreement.structured_addresses_from
        structured = start is not None and self.now.astimezone(UTC).date() >= start
        for party, steps, code in ((one.debtor, "Dbtr", "BE07"), (one.creditor, "Cdtr", "BE04")):
            if not _has_address(party):
                if self.agreement.addresses_required:
                    yield code, "an address with town and country", f"{steps}/PstlAdr"
            elif structured and not _is_structured(party):
                expected = "town and country, and at most two address lines beside them"
                yield code, expected, f"{steps}/PstlAdr"

    def _codes(self, one: Transfer) -> Iterator[_Found]:
        agreed = self.agreement
        for value, taken, code, steps in (
            (one.charge_bearer, agreed.charge_bearers, "BE19", "ChrgBr"),
            (one.service_level, agreed.service_levels, "FF04", "PmtTpInf/SvcLvl"),
            (one.local_instrument, agreed.local_instruments, "FF05", "PmtTpInf/LclInstrm"),
            (one.category_purpose, agreed.category_purposes, "FF06", "PmtTpInf/CtgyPurp"),
            (one.purpose, agreed.purposes, "FF07", "Purp"),
        ):
            if taken is not None and value is not None and value not in taken:
                yield code, "a code that is agreed", steps

    def _characters(self, number: int) -> Iterator[Fault]:
        if self._pattern is None:
            return
        scope = self.reading.scopes[number][0]
        for element in scope.element.iter("*"):
            if not self._pattern.fullmatch(text(element) or ""):
                # Without the element's name: which field a person's name is in is nobody's business.
                yield fault("RR10", "characters of the agreed set", scope.place, number)
                return

    def _has_reason(self, number: int) -> bool:
        """Of the return, or of all that the message returns (OrgnlGrpInf)."""
        own, header = self.reading.scopes[number]
        group = descend(header.element.getparent(), "OrgnlGrpInf", "RtrRsnInf")
        return group is not None or own.find("RtrRsnInf") is not None


def _account(account: AccountIdentification | None, steps: str, code: str) -> Iterator[_Found]:
    if account is not None and account.iban is not None and not is_iban(account.iban):
        yield code, "an IBAN with right check digits", f"{steps}/Id/IBAN"


def _agent(agent: Agent | None, steps: str, code: str) -> Iterator[_Found]:
    if agent is None:
        return
    inside = f"{steps}/FinInstnId"
    if agent.bic is not None and not is_bic(agent.bic):
        yield code, "a BIC of a country there is", f"{inside}/BICFI|BIC"
    if agent.country is not None and agent.country not in COUNTRIES:
        yield "BE09", "an ISO 3166-1 alpha-2 country code", f"{inside}/PstlAdr/Ctry"


def _party(party: Party | None, steps: str, country: str, identification: str) -> Iterator[_Found]:
    if party is None:
        return
    if party.country is not None and party.country not in COUNTRIES:
        yield country, "an ISO 3166-1 alpha-2 country code", f"{steps}/PstlAdr/Ctry"
    if party.country_of_residence is not None and party.country_of_residence not in COUNTRIES:
        yield country, "an ISO 3166-1 alpha-2 country code", f"{steps}/CtryOfRes"
    if party.bic is not None and not is_bic(party.bic):
        yield identification, "a BIC of a country there is", f"{steps}/Id/OrgId/AnyBIC|BICOrBEI"


def _leis(one: Transfer) -> Iterator[_Found]:
    for party, steps, code in (
        (one.debtor, "Dbtr", "BE16"),
        (one.creditor, "Cdtr", "BE17"),
        (one.ultimate_debtor, "UltmtDbtr", "BE15"),
        (one.ultimate_creditor, "UltmtCdtr", "BE15"),
    ):
        if party is not None and party.lei is not None and not is_lei(party.lei):
            yield code, "an LEI with right check digits", f"{steps}/Id/OrgId/LEI"
    for agent, steps in _agents(one):
        if agent.lei is not None and not is_lei(agent.lei):
            yield "BE15", "an LEI with right check digits", f"{steps}/FinInstnId/LEI"


def _members(one: Transfer) -> Iterator[_Found]:
    for agent, steps in _agents(one):
        if agent.clearing_member is not None and not is_member(agent.clearing_system, agent.clearing_member):
            expected = "a member identification of this clearing system"
            yield "RC08", expected, f"{steps}/FinInstnId/ClrSysMmbId/MmbId"


def _agents(one: Transfer) -> Iterator[tuple[Agent, str]]:
    for agent, steps in (
        (one.debtor_agent, "DbtrAgt"),
        (one.creditor_agent, "CdtrAgt"),
        (one.instructing_agent, "InstgAgt"),
        (one.instructed_agent, "InstdAgt"),
    ):
        if agent is not None:
            yield agent, steps


def _names(one: Transfer) -> Iterator[_Found]:
    """Between institutions somebody pays somebody; a customer's bank may know its own customer's name."""
    for party, steps, code in ((one.debtor, "Dbtr", "BE08"), (one.creditor, "Cdtr", "BE22")):
        if not _is_named(party) and not party.has_identification:
            yield code, "a name, or an identification", f"{steps}/Nm"


def _travel_rule(one: Transfer) -> Iterator[_Found]:
    debtor, creditor = one.debtor, one.creditor
    if not _of_account(one.debtor_account) and not debtor.has_identification:
        yield "RR01", "the debtor's account or identification", "DbtrAcct"
    if not _is_named(debtor) or not (_has_address(debtor) or debtor.has_identification):
        yield "RR02", "the debtor's name, and address or identification", "Dbtr"
    if not _is_named(creditor) or not (_has_address(creditor) or creditor.has_identification):
        yield "RR03", "the creditor's name, and address or identification", "Cdtr"


def _is_named(party: Party) -> bool:
    return party.name is not None and bool(party.name.strip())


def _has_address(party: Party) -> bool:
    return party.country is not None or party.town is not None or bool(party.address_lines)


def _is_structured(party: Party) -> bool:
    return (
        party.country is not None
        and bool(party.town and party.town.strip())
        and len(party.address_lines) <= _MOST_ADDRESS_LINES
    )


def _names_original(one: Return) -> bool:
    return any(
        (
            one.original_uetr,
            one.original_transaction_id,
            one.original_end_to_end_id not in (None, _NOT_PROVIDED),
            one.original_instruction_id,
        )
    )


def _day(given: str) -> date | None:
    """The date that an ISO date, with a zone or a time or without, stands for; ``None`` for none we have."""
    found = _DATE.fullmatch(given)
    try:
        return None if found is None else date.fromisoformat(found[1])
    except ValueError:
        return None


def _moment(given: str) -> datetime | None:
    """An ISO date-time, in UTC if it says no zone; ``T24:00:00`` is the next day's beginning."""
    end_of_day = "T24:00:00" in given
    try:
        found = datetime.fromisoformat(given.replace("T24:00:00", "T00:00:00") if end_of_day else given)
        found += timedelta(days=end_of_day)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
