"""What a client wants of its transaction: cancelled, accepted, rejected, taken up again."""

import hashlib
from collections.abc import Callable

from postbus.domain.iso20022.client_requests import (
    Earlier,
    NotYours,
    TooMany,
    incoming_key,
    step_to_redrive,
    wanted_by_client,
)
from postbus.domain.iso20022.messages import Fault, Message, Reason, Reference
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Document, Head, Next
from postbus.functions.serve_iso20022.front import Front, summary
from postbus.functions.serve_iso20022.submit import checked_xml
from postbus.runtime.api import Answer, BadField, Problem, Request, bad_request
from postbus.runtime.decisions import send_decide
from postbus.runtime.steps import send_step

_MOST_ERRORS = 20


def cancelling(front: Front) -> Callable[[Request], Answer]:
    """``POST /v1/transactions/{transaction_id}/cancellation``, with a camt.056 or without a body."""

    def cancel(request: Request) -> Answer:
        if not request.body.strip():
            return _decided(front, front.named(request), DecisionKind.CANCELLATION)
        body = checked_xml(request, front.largest_message_bytes)
        head = front.named(request)
        sha256 = hashlib.sha256(body).hexdigest()
        message = _read(front, body)
        numbers = _numbers(front, head, message)
        document = Document(incoming_key(head.transaction_id, f"cancellation-{sha256}"), sha256, len(body))
        codes = {one.reason for one in message.references if one.reason}
        reasons = tuple(Reason(code) for code in sorted(codes))
        return _decided(front, head, DecisionKind.CANCELLATION, document, numbers, reasons, body)

    return cancel


def deciding(front: Front, kind: DecisionKind) -> Callable[[Request], Answer]:
    """``POST /v1/transactions/{transaction_id}/acceptance`` or ``…/rejection``."""

    def decide(request: Request) -> Answer:
        _without_a_body(request)
        return _decided(front, front.named(request), kind)

    return decide


def redriving(front: Front) -> Callable[[Request], Answer]:
    """``POST /v1/transactions/{transaction_id}/redrive``: the step that stands still, tried again."""

    def redrive(request: Request) -> Answer:
        _without_a_body(request)
        head = front.named(request)
        step = step_to_redrive(head, front.store.decisions(head.transaction_id))
        if step is None:
            what = "is final" if head.status in FINAL else "waits, and no step of it stands still"
            raise Problem(409, f"The transaction is {head.status}: it {what}.", "nothing-to-redrive")
        send_step(head.transaction_id, Next(step, again=True), front.store, front.steps, front.clock)
        return Answer.of(202, {**summary(head), "step": step.value})

    return redrive


def _decided(
    front: Front,
    head: Head,
    kind: DecisionKind,
    message: Document | None = None,
    numbers: tuple[int, ...] = (),
    reasons: tuple[Reason, ...] = (),
    body: bytes = b"",
) -> Answer:
    """Keep the decision and see that it is carried out; sent again for as long as it has not been.

    Args:
        body: the message's, stored before the decision that names it, and not without one.
    """
    kept = front.store.decisions(head.transaction_id)
    wanted = wanted_by_client(head, kind, front.clock(), kept, message, numbers, reasons)
    match wanted:
        case NotYours():
            raise Problem(
                409, f"The transaction is {head.status}: this is not for you to decide now.", "not-yours"
            )
        case TooMany():
            raise Problem(409, "Too many cancellations of this transaction were asked for.", "too-many")
        case Earlier(decision=standing):
            pass
        case Decision():
            if message is not None:
                front.incoming.put(message.key, body)
            standing = front.store.decide(head.transaction_id, wanted)
    if standing.verdict is None:
        send_decide(head.transaction_id, front.store, front.steps, front.clock)
    return Answer.of(202, summary(head))


def _read(front: Front, body: bytes) -> Message:
    """The camt.056; raises Problem 400 with every fault by its path."""
    # Parser and checks take their time to import, and few calls need them.
    from postbus.domain.iso20022 import reading, xml

    document = xml.read(body, front.largest_message_bytes)
    if isinstance(document, Fault):
        raise _faulty([document])
    if document.type.definition != "camt.056" or not reading.is_readable(document.type):
        raise bad_request(BadField("/Document", "a camt.056 of a version that is taken"))
    if faults := front.schemas().validate(document):
        raise _faulty(list(faults))
    read = reading.read(document.root, document.type)
    if read.faults:
        raise _faulty(list(read.faults))
    return read.message


def _faulty(faults: list[Fault]) -> Problem:
    return bad_request(
        *(
            BadField(one.place.path, f"{' '.join(one.reason.additional)} ({one.reason.code})")
            for one in faults[:_MOST_ERRORS]
        )
    )


def _numbers(front: Front, head: Head, message: Message) -> tuple[int, ...]:
    """The transfers that a camt.056 is about; raises Problem where it is about something else."""
    if head.message_id is None or (head.children is None and head.status not in FINAL):
        raise Problem(
            409,
            "The message has not been read yet, so that nothing of it can be named: ask again, "
            "or cancel the whole of it without a body.",
            "not-read-yet",
            headers={"Retry-After": "1"},
        )
    from postbus.domain.iso20022.cancellation_requests import concerned

    found = concerned(message, head, front.store.children(head.transaction_id))
    if isinstance(found, Reference):
        raise bad_request(BadField(found.place.path, "a reference to this transaction's message"))
    return found


def _without_a_body(request: Request) -> None:
    if request.body.strip():
        raise bad_request(BadField("body", "none"))
