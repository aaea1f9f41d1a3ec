"""Returned transfers: pacs.004."""

from decimal import Decimal
from typing import Any

from lxml.etree import _Element

from postbus.domain.iso20022.amounts import Unusable, amount, decimal
from postbus.domain.iso20022.elements import Children, children, descend, local_name, text, token
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.message_source import (
    Control,
    Reading,
    Scope,
    numbered,
    receiver_of,
    sender_of,
)
from postbus.domain.iso20022.messages import Fault, Message, MessageType, Return, Unreadable
from postbus.domain.iso20022.parts import agent, code, date_of
from postbus.domain.money import Money


def returns(body: _Element, type: MessageType) -> Reading:
    """A pacs.004; what a return does not say itself it inherits from GrpHdr and OrgnlGrpInf."""
    root = Scope(body, f"/Document/{local_name(body)}")
    found = children(body)
    header = root.below(found["GrpHdr"], "GrpHdr")
    group = children(header.element)
    original_group = children(found.get("OrgnlGrpInf"))
    instructing, instructed = agent(group.get("InstgAgt")), agent(group.get("InstdAgt"))
    settlement_date = date_of(group.get("IntrBkSttlmDt"))
    read: list[Return] = []
    unreadable: list[Unreadable] = []
    faults: list[Fault] = []
    scopes: dict[int, tuple[Scope, ...]] = {}
    total, currencies = Decimal(), set()
    for number, scope in enumerate(numbered(root, "TxInf"), start=1):
        scopes[number] = (scope, header)
        parts = children(scope.element)
        own_group = children(parts.get("OrgnlGrpInf"))
        returned = parts["RtrdIntrBkSttlmAmt"]
        total += decimal(token(returned))
        currencies.add(returned.get("Ccy", ""))
        value, original = amount(returned), _original_amount(parts)
        known: dict[str, Any] = {
            "number": number,
            "place": scope.place,
            "instructing_agent": agent(parts.get("InstgAgt")) or instructing,
            "instructed_agent": agent(parts.get("InstdAgt")) or instructed,
            "requested_date": date_of(parts.get("IntrBkSttlmDt")) or settlement_date,
        }
        for name, one in (("RtrdIntrBkSttlmAmt", value), ("OrgnlIntrBkSttlmAmt", original)):
            if isinstance(one, Unusable):
                place = scope.below(parts[name], name).place
                faults.append(fault(one.code, one.expected, place, number))
        if not isinstance(value, Money):
            unreadable.append(
                Unreadable(
                    **known,
                    end_to_end_id=text(parts.get("OrgnlEndToEndId")),
                    instruction_id=text(parts.get("OrgnlInstrId")),
                    transaction_id=text(parts.get("OrgnlTxId")),
                    uetr=text(parts.get("OrgnlUETR")),
                )
            )
            continue
        read.append(
            Return(
                **known,
                amount=value,
                original_message_id=text(own_group.get("OrgnlMsgId", original_group.get("OrgnlMsgId"))),
                original_message_type=text(own_group.get("OrgnlMsgNmId", original_group.get("OrgnlMsgNmId"))),
                original_instruction_id=text(parts.get("OrgnlInstrId")),
                original_end_to_end_id=text(parts.get("OrgnlEndToEndId")),
                original_transaction_id=text(parts.get("OrgnlTxId")),
                original_uetr=text(parts.get("OrgnlUETR")),
                original_amount=original if isinstance(original, Money) else None,
                return_id=text(parts.get("RtrId")),
                reason=code(descend(parts.get("RtrRsnInf"), "Rsn"))
                or code(descend(found.get("OrgnlGrpInf"), "RtrRsnInf", "Rsn")),
            )
        )
    message = Message(
        type=type,
        message_id=text(group["MsgId"]) or "",
        created_at=token(group["CreDtTm"]) or "",
        sender=sender_of(instructing, (*read, *unreadable)),
        receiver=receiver_of(instructed, (*read, *unreadable)),
        number_of_transactions=text(group.get("NbOfTxs")),
        control_sum=token(group.get("CtrlSum")),
        returns=tuple(read),
        unreadable=tuple(unreadable),
    )
    if not scopes:
        faults.append(fault("CH21", "TxInf: each return of its own, not the group as a whole", header.place))
    control = Control(header, tuple(scopes), total, frozenset(currencies), is_group=True)
    return Reading(message, tuple(faults), header, scopes, (control,))


def _original_amount(parts: Children) -> Money | Unusable | None:
    element = parts.get("OrgnlIntrBkSttlmAmt")
    return None if element is None else amount(element)
