"""Credit transfers: pacs.008 (between financial institutions) and pain.001 (from a customer)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from lxml.etree import _Element

from postbus.domain.iso20022.amounts import Unusable, amount, decimal
from postbus.domain.iso20022.elements import Children, children, local_name, named, text, token
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.message_source import (
    Control,
    Reading,
    Scope,
    numbered,
    receiver_of,
    sender_of,
)
from postbus.domain.iso20022.messages import (
    Agent,
    Fault,
    Message,
    MessageType,
    Party,
    Quoted,
    Return,
    Transfer,
    Unreadable,
)
from postbus.domain.iso20022.parts import account, agent, date_of, party, payment_type
from postbus.domain.money import Money

_NOBODY = Party()
_NO_AGENT = Agent()
_EQUIVALENT = Unusable(
    "AM03", "InstdAmt, or EqvtAmt in the currency of the transfer: nothing is converted here"
)


# Whoever has a hand in a transfer beside its four agents, in any version, and where.
_FURTHER_AGENTS = (
    *("PrvsInstgAgt", "PrvsInstgAgt1", "PrvsInstgAgt2", "PrvsInstgAgt3"),
    *("IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3"),
)
_SETTLING_AGENTS = ("InstgRmbrsmntAgt", "InstdRmbrsmntAgt", "ThrdRmbrsmntAgt")
_INITIATING = ("InitgPty",)
_INVOICED = ("Invcr", "Invcee")


@dataclass(slots=True)
class _Collected:
    transfers: list[Transfer] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    scopes: dict[int, tuple[Scope, ...]] = field(default_factory=dict)

    def add(
        self,
        scope: Scope,
        outer: Scope,
        found: Money | Unusable,
        at: Scope,
        **known: Any,
    ) -> None:
        """Keep a transfer with its amount, or what an answer quotes of it without one."""
        number = known["number"]
        self.scopes[number] = (scope, outer)
        if isinstance(found, Money):
            self.transfers.append(Transfer(place=scope.place, amount=found, **known))
            return
        self.faults.append(fault(found.code, found.expected, at.place, number))
        quoted: dict[str, Any] = {name: known[name] for name in _QUOTED if name in known}
        self.unreadable.append(Unreadable(place=scope.place, **quoted))


_QUOTED = tuple(one.name for one in fields(Quoted))


def interbank(body: _Element, type: MessageType) -> Reading:
    """A pacs.008; what a transfer does not say itself it inherits from GrpHdr."""
    root = Scope(body, f"/Document/{local_name(body)}")
    found = children(body)
    header = root.below(found["GrpHdr"], "GrpHdr")
    group = children(header.element)
    instructing, instructed = agent(group.get("InstgAgt")), agent(group.get("InstdAgt"))
    settlement_date = date_of(group.get("IntrBkSttlmDt"))
    settling = _agents(children(group.get("SttlmInf")), _SETTLING_AGENTS)
    initiating = _parties(group, _INITIATING)
    collected = _Collected()
    amounts: list[tuple[str, str]] = []
    for number, scope in enumerate(numbered(root, "CdtTrfTxInf"), start=1):
        parts = children(scope.element)
        settlement = parts["IntrBkSttlmAmt"]
        amounts.append(_as_written(settlement))
        instructed_amount = _instructed(parts, scope, number, collected)
        collected.add(
            scope,
            header,
            amount(settlement),
            scope.below(settlement, "IntrBkSttlmAmt"),
            number=number,
            **_identification(parts["PmtId"]),
            **payment_type(parts, group),
            **_creditor_side(parts),
            debtor=party(parts.get("Dbtr")) or _NOBODY,
            debtor_account=account(parts.get("DbtrAcct")),
            debtor_agent=agent(parts.get("DbtrAgt")) or _NO_AGENT,
            ultimate_debtor=party(parts.get("UltmtDbtr")),
            instructing_agent=agent(parts.get("InstgAgt")) or instructing,
            instructed_agent=agent(parts.get("InstdAgt")) or instructed,
            instructed=instructed_amount,
            exchange_rate=token(parts.get("XchgRate")),
            charge_bearer=text(parts.get("ChrgBr")),
            requested_date=date_of(parts.get("IntrBkSttlmDt")) or settlement_date,
            further_agents=(*_agents(parts, _FURTHER_AGENTS), *_charging(scope.element, parts), *settling),
            further_parties=(*_further_parties(parts), *initiating),
        )
    return _reading(type, group, header, collected, [_control(header, collected.scopes, amounts, True)])


def initiation(body: _Element, type: MessageType) -> Reading:
    """A pain.001; what a transfer does not say itself it inherits from its PmtInf."""
    root = Scope(body, f"/Document/{local_name(body)}")
    found = children(body)
    header = root.below(found["GrpHdr"], "GrpHdr")
    group = children(header.element)
    collected = _Collected()
    controls: list[Control] = []
    amounts: list[tuple[str, str]] = []
    forwarding, initiating = _agents(group, ("FwdgAgt",)), _parties(group, _INITIATING)
    for block in numbered(root, "PmtInf"):
        outer = children(block.element)
        charged = _agents(outer, ("ChrgsAcctAgt",))
        inherited = {
            "payment_information_id": text(outer.get("PmtInfId")),
            "debtor": party(outer.get("Dbtr")) or _NOBODY,
            "debtor_account": account(outer.get("DbtrAcct")),
            "debtor_agent": agent(outer.get("DbtrAgt")) or _NO_AGENT,
            "requested_date": date_of(outer.get("ReqdExctnDt")),
            "payment_method": text(outer.get("PmtMtd")),
        }
        ultimate_debtor, charge_bearer = party(outer.get("UltmtDbtr")), text(outer.get("ChrgBr"))
        first = len(amounts)
        for scope in numbered(block, "CdtTrfTxInf"):
            parts = children(scope.element)
            given, usable = _requested(parts["Amt"])
            amounts.append(_as_written(given))
            collected.add(
                scope,
                block,
                usable,
                scope.below(given, "Amt/InstdAmt" if local_name(given) == "InstdAmt" else "Amt/EqvtAmt/Amt"),
                number=len(amounts),
                **inherited,
                **_identification(parts["PmtId"]),
                **payment_type(parts, outer),
                **_creditor_side(parts),
                ultimate_debtor=party(parts.get("UltmtDbtr")) or ultimate_debtor,
                charge_bearer=text(parts.get("ChrgBr")) or charge_bearer,
                further_agents=(*_agents(parts, _FURTHER_AGENTS), *charged, *forwarding),
                further_parties=(*_further_parties(parts), *initiating),
            )
        controls.append(_control(block, range(first + 1, len(amounts) + 1), amounts[first:], False))
    controls.insert(0, _control(header, collected.scopes, amounts, True))
    return _reading(type, group, header, collected, controls)


def _reading(
    type: MessageType, group: Children, header: Scope, collected: _Collected, controls: Sequence[Control]
) -> Reading:
    each: list[Transfer | Return | Unreadable] = [*collected.transfers, *collected.unreadable]
    initiating = party(group.get("InitgPty"))
    sender = sender_of(agent(group.get("InstgAgt")) or agent(group.get("FwdgAgt")), each)
    if sender is None and initiating is not None and initiating.bic is not None:
        sender = Agent(bic=initiating.bic)
    message = Message(
        type=type,
        message_id=text(group["MsgId"]) or "",
        created_at=token(group["CreDtTm"]) or "",
        sender=sender,
        receiver=receiver_of(agent(group.get("InstdAgt")), each),
        initiating_party=initiating,
        number_of_transactions=text(group.get("NbOfTxs")),
        control_sum=token(group.get("CtrlSum")),
        transfers=tuple(collected.transfers),
        unreadable=tuple(collected.unreadable),
    )
    return Reading(message, tuple(collected.faults), header, collected.scopes, tuple(controls))


def _identification(element: _Element) -> dict[str, Any]:
    parts = children(element)
    return {
        "instruction_id": text(parts.get("InstrId")),
        "end_to_end_id": text(parts["EndToEndId"]),
        "transaction_id": text(parts.get("TxId")),
        "uetr": text(parts.get("UETR")),
    }


def _creditor_side(parts: Children) -> dict[str, Any]:
    return {
        "creditor": party(parts.get("Cdtr")) or _NOBODY,
        "creditor_account": account(parts.get("CdtrAcct")),
        "creditor_agent": agent(parts.get("CdtrAgt")) or _NO_AGENT,
        "ultimate_creditor": party(parts.get("UltmtCdtr")),
    }


def _agents(parts: Children, names: Sequence[str]) -> tuple[Agent, ...]:
    return tuple(found for name in names if (found := agent(parts.get(name))) is not None)


def _parties(parts: Children, names: Sequence[str]) -> tuple[Party, ...]:
    return tuple(found for name in names if (found := party(parts.get(name))) is not None)


def _charging(element: _Element, parts: Children) -> tuple[Agent, ...]:
    """The agents that take charges."""
    if "ChrgsInf" not in parts:
        return ()
    charges = [children(one) for one in named(element, "ChrgsInf")]
    return tuple(found for one in charges for found in _agents(one, ("Agt", "Pty")))


def _further_parties(parts: Children) -> tuple[Party, ...]:
    """Who initiated the transfer, and who is named in the invoices that it pays."""
    initiating = _parties(parts, _INITIATING)
    remittance = parts.get("RmtInf")
    if remittance is None:
        return initiating
    invoices = (_parties(children(one), _INVOICED) for one in named(remittance, "Strd"))
    return (*initiating, *(one for invoice in invoices for one in invoice))


def _instructed(parts: Children, scope: Scope, number: int, collected: _Collected) -> Money | None:
    """The instructed amount, if it is in another currency; one that is at fault faults the transfer."""
    element = parts.get("InstdAmt")
    if element is None:
        return None
    found = amount(element)
    if isinstance(found, Unusable):
        at = scope.below(element, "InstdAmt").place
        collected.faults.append(fault(found.code, found.expected, at, number))
        return None
    return found if found.currency != parts["IntrBkSttlmAmt"].get("Ccy") else None


def _requested(choice: _Element) -> tuple[_Element, Money | Unusable]:
    """The amount element of a pain.001's choice, and its value."""
    parts = children(choice)
    if "InstdAmt" in parts:
        return parts["InstdAmt"], amount(parts["InstdAmt"])
    equivalent = children(parts["EqvtAmt"])
    given = equivalent["Amt"]
    if text(equivalent["CcyOfTrf"]) != given.get("Ccy"):
        return given, _EQUIVALENT
    return given, amount(given)


def _as_written(element: _Element) -> tuple[str, str]:
    return token(element) or "", element.get("Ccy", "")


def _control(scope: Scope, numbers: Any, amounts: Sequence[tuple[str, str]], is_group: bool) -> Control:
    return Control(
        scope,
        tuple(numbers),
        sum((decimal(figure) for figure, _ in amounts), Decimal()),
        frozenset(currency for _, currency in amounts),
        is_group,
    )
