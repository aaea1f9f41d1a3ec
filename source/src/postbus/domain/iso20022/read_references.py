"""Messages about earlier ones: camt.056 (cancellation request) and pacs.028 (status request)."""

from lxml.etree import _Element

from postbus.domain.iso20022.elements import Children, children, descend, local_name, text, token
from postbus.domain.iso20022.faults import fault
from postbus.domain.iso20022.message_source import Reading, Scope, numbered
from postbus.domain.iso20022.messages import Agent, Fault, Message, MessageType, Reference
from postbus.domain.iso20022.parts import agent, code, party

# What one message may be about; more has to be asked in several.
MOST_REFERENCES = 1_000


def cancellation_request(body: _Element, type: MessageType) -> Reading:
    """A camt.056: one reference for each TxInf, and one for each group it names whole."""
    root = Scope(body, f"/Document/{local_name(body)}")
    found = children(body)
    header = root.below(found["Assgnmt"], "Assgnmt")
    assignment = children(header.element)
    named: list[tuple[Scope, Scope, Children]] = []
    whole: list[Scope] = []
    for underlying in numbered(root, "Undrlyg"):
        group = children(underlying.element).get("OrgnlGrpInfAndCxl")
        scope = underlying if group is None else underlying.below(group, "OrgnlGrpInfAndCxl")
        transactions = numbered(underlying, "TxInf")
        # Read once: a group may have thousands of transactions.
        inherited = children(group)
        named += [(transaction, scope, inherited) for transaction in transactions]
        if group is not None and not transactions:
            whole.append(scope)
    too_many = len(named) + len(whole) > MOST_REFERENCES
    named, whole = named[:MOST_REFERENCES], whole[: max(MOST_REFERENCES - len(named), 0)]
    references = [_reference(scope, group, number) for number, (scope, _, group) in enumerate(named, 1)]
    references += [_group(scope, number) for number, scope in enumerate(whole, len(named) + 1)]
    scopes = [*((scope, outer, header) for scope, outer, _ in named), *((scope, header) for scope in whole)]
    first = children(named[0][0].element) if named else {}
    message = Message(
        type=type,
        message_id=text(assignment["Id"]) or "",
        created_at=token(assignment["CreDtTm"]) or "",
        sender=_assigned(assignment["Assgnr"]),
        receiver=_assigned(assignment["Assgne"]),
        number_of_transactions=text(descend(found.get("CtrlData"), "NbOfTxs")),
        control_sum=token(descend(found.get("CtrlData"), "CtrlSum")),
        case_id=text(descend(found.get("Case", first.get("Case")), "Id")),
        references=tuple(references),
    )
    return _reading(message, header, scopes, too_many)


def status_request(body: _Element, type: MessageType) -> Reading:
    """A pacs.028: one reference for each TxInf, or else one for each message it asks about."""
    root = Scope(body, f"/Document/{local_name(body)}")
    found = children(body)
    header = root.below(found["GrpHdr"], "GrpHdr")
    head = children(header.element)
    transactions, groups = numbered(root, "TxInf"), numbered(root, "OrgnlGrpInf")
    too_many = len(transactions or groups) > MOST_REFERENCES
    transactions, groups = transactions[:MOST_REFERENCES], groups[:MOST_REFERENCES]
    references: list[Reference] = []
    if transactions:
        # Of several groups none is everybody's.
        outer = children(groups[0].element if len(groups) == 1 else None)
        references = [_reference(scope, outer, number) for number, scope in enumerate(transactions, 1)]
    else:
        references = [_group(scope, number) for number, scope in enumerate(groups, 1)]
    first = children(transactions[0].element) if transactions else {}
    message = Message(
        type=type,
        message_id=text(head["MsgId"]) or "",
        created_at=token(head["CreDtTm"]) or "",
        sender=agent(head.get("InstgAgt", first.get("InstgAgt"))),
        receiver=agent(head.get("InstdAgt", first.get("InstdAgt"))),
        references=tuple(references),
    )
    return _reading(message, header, [(scope, header) for scope in transactions or groups], too_many)


def _reading(message: Message, header: Scope, scopes: list[tuple[Scope, ...]], too_many: bool) -> Reading:
    faults: list[Fault] = []
    if too_many:
        faults.append(fault("AM18", f"at most {MOST_REFERENCES} references", header.place))
    if not message.references:
        faults.append(fault("CH21", "a message or a transfer that it is about", header.place))
    for reference in message.references:
        if not _names_something(reference):
            expected = "OrgnlUETR, OrgnlEndToEndId, OrgnlTxId, OrgnlInstrId or OrgnlMsgId"
            faults.append(fault("CH21", expected, reference.place, reference.number))
    return Reading(message, tuple(faults), header, dict(enumerate(scopes, start=1)))


def _reference(scope: Scope, group: Children, number: int) -> Reference:
    parts = children(scope.element)
    own = children(parts.get("OrgnlGrpInf"))
    return Reference(
        number=number,
        place=scope.place,
        request_id=text(parts.get("CxlId", parts.get("StsReqId"))),
        original_message_id=text(own.get("OrgnlMsgId", group.get("OrgnlMsgId"))),
        original_message_type=text(own.get("OrgnlMsgNmId", group.get("OrgnlMsgNmId"))),
        original_instruction_id=text(parts.get("OrgnlInstrId")),
        original_end_to_end_id=text(parts.get("OrgnlEndToEndId")),
        original_transaction_id=text(parts.get("OrgnlTxId")),
        original_uetr=text(parts.get("OrgnlUETR")),
        reason=_reason(parts) or _reason(group),
    )


def _group(scope: Scope, number: int) -> Reference:
    parts = children(scope.element)
    return Reference(
        number=number,
        place=scope.place,
        request_id=text(parts.get("GrpCxlId")),
        original_message_id=text(parts.get("OrgnlMsgId")),
        original_message_type=text(parts.get("OrgnlMsgNmId")),
        reason=_reason(parts),
    )


def _reason(parts: Children) -> str | None:
    return code(descend(parts.get("CxlRsnInf"), "Rsn"))


def _names_something(reference: Reference) -> bool:
    return any(
        (
            reference.original_uetr,
            reference.original_end_to_end_id,
            reference.original_transaction_id,
            reference.original_instruction_id,
            reference.original_message_id,
        )
    )


def _assigned(element: _Element) -> Agent | None:
    """The agent of an assigner or assignee; of a party, its BIC."""
    parts = children(element)
    if "Agt" in parts:
        return agent(parts["Agt"])
    named = party(parts.get("Pty"))
    return Agent(bic=named.bic) if named is not None and named.bic is not None else None
