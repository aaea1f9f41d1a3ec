"""What became of a transaction: its status with its history, and the messages written for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from postbus.domain.errors import InvariantBroken
from postbus.domain.event import format_time
from postbus.domain.iso20022.messages import Reason, Status
from postbus.domain.iso20022.progress import told
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import CANCELLATION_ANSWER, DecisionKind, Head
from postbus.functions.serve_iso20022.front import DOCUMENTS, Front, summary
from postbus.runtime.api import Answer, BadField, Problem, Request, bad_request

# A function answers with 6 MB at most; what is larger is fetched from where it lies.
MOST_IN_AN_ANSWER_BYTES = 5 * 1024 * 1024

_CONSISTENCIES = ("local", "all-regions")
_DOWNLOAD_VALID_FOR = timedelta(minutes=5)
_RETRY_AFTER_SECONDS = "1"


def status(front: Front) -> Callable[[Request], Answer]:
    """``GET /v1/transactions/{transaction_id}``."""

    def tell_status(request: Request) -> Answer:
        consistency = request.query.get("consistency", "local")
        if consistency not in _CONSISTENCIES:
            raise bad_request(BadField("consistency", " or ".join(_CONSISTENCIES)))
        head = front.named(request)
        history = front.store.history(head.transaction_id)
        # Written together with the head: what is newer than the head read above is told next time.
        known = history[: head.version]
        data: dict[str, Any] = {
            **summary(head),
            "opened_at": format_time(head.opened_at),
            "reasons": _reasons(head.status, head.reasons),
            "history": [
                {
                    "status": entry.status.value,
                    "at": format_time(entry.at),
                    "reasons": _reasons(entry.status, entry.reasons),
                }
                for entry in known
            ],
            "documents": [name for name in DOCUMENTS if name in head.documents],
            # There is one region, and it is read with strong consistency: either is answered by the same.
            "consistency": {"asked": consistency, "regions": [front.home_region], "strong": True},
        }
        if head.status not in FINAL:
            data["deadline"] = format_time(head.deadline)
        if head.incoming is not None:
            data["message"] = _message(head)
        if head.children is not None:
            data["transfers"] = {"total": head.children, "open": head.children_open}
        return Answer.of(200, data)

    return tell_status


def outgoing(front: Front) -> Callable[[Request], Answer]:
    """``GET /v1/outgoing``."""

    def fetch(request: Request) -> Answer:
        name = request.query.get("document", DOCUMENTS[0])
        if name not in DOCUMENTS:
            raise bad_request(BadField("document", "one of " + ", ".join(DOCUMENTS)))
        head = front.named(request)
        document = head.documents.get(name)
        if document is None:
            return _not_there(front, head, name)
        headers = {"X-Transaction-Id": head.transaction_id, "ETag": f'"{document.sha256}"'}
        if document.length_bytes > MOST_IN_AN_ANSWER_BYTES:
            url = front.outgoing.download_url(document.key, _DOWNLOAD_VALID_FOR)
            return Answer.of(303, summary(head), {**headers, "Location": url})
        body = front.outgoing.get(document.key)
        if body is None:
            raise InvariantBroken(f"the document {name} of {head.transaction_id} is gone")
        return Answer(200, body, "application/xml", headers)

    return fetch


def _not_there(front: Front, head: Head, name: str) -> Answer:
    if name == CANCELLATION_ANSWER:
        is_awaited = any(
            decision.kind is DecisionKind.CANCELLATION and decision.verdict is None
            for decision in front.store.decisions(head.transaction_id)
        )
    else:
        is_awaited = head.status not in FINAL
    if is_awaited:
        return Answer.of(202, summary(head), {"Retry-After": _RETRY_AFTER_SECONDS})
    raise Problem(404, f"The transaction is {head.status} and has no such message.", "no-such-document")


def _message(head: Head) -> dict[str, Any]:
    assert head.incoming is not None
    message: dict[str, Any] = {
        "sha256": head.incoming.sha256,
        "length_bytes": head.incoming.length_bytes,
    }
    if head.message_type is not None:
        message |= {"type": str(head.message_type), "message_id": head.message_id}
    return message


def _reasons(status: Status, reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
    return [{"code": reason.code, "additional": list(reason.additional)} for reason in told(status, reasons)]
