"""A transaction is opened, and a message handed in under it."""

import base64
import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from postbus.domain.errors import Malformed, Unavailable
from postbus.domain.event import format_time
from postbus.domain.iso20022.client_requests import Announcement, derived_id, incoming_key, upload_key
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Document, Head, Next, StepName
from postbus.functions.serve_iso20022.front import Front, summary
from postbus.ports_iso20022 import Attached
from postbus.runtime.api import Answer, BadField, Problem, Request, bad_request
from postbus.runtime.steps import send_step

# As text for the function it grows by a third, and a call may carry 6 MB.
MOST_IN_A_REQUEST_BYTES = 4 * 1024 * 1024

XML_TYPES = ("application/xml", "text/xml")
_TRIES = 3
# As often as a message may come too late for its id: with a day for each, more than three months.
_NUMBERS_OF_A_KEY = 100
_UPLOAD_VALID_FOR = timedelta(minutes=15)
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)


def opening(front: Front) -> Callable[[Request], Answer]:
    """``POST /v1/transactions``."""

    def open_transaction(request: Request) -> Answer:
        owner = str(request.client_id)
        key = request.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise bad_request(BadField("Idempotency-Key", "1 to 255 visible ASCII characters"))
        for _ in range(_TRIES):
            transaction_id, standing = (
                (str(front.draw()), None) if key is None else _of_key(front, owner, key)
            )
            if standing is not None:
                return Answer.of(200, summary(standing))
            now = front.clock()
            head = Head(
                transaction_id=transaction_id,
                owner=owner,
                status=Status.ACCP,
                version=1,
                opened_at=now,
                deadline=now + front.deadlines.before_a_message,
                home_region=front.home_region,
            )
            if front.store.open(head, owner):
                return Answer.of(200, summary(head))
        raise Unavailable(f"no transaction id that is free in {_TRIES} tries")

    return open_transaction


def taking(front: Front) -> Callable[[Request], Answer]:
    """``POST /v1/incoming``: a message, or the announcement of one that is uploaded beside the API."""

    def take_message(request: Request) -> Answer:
        if request.media_type == "application/json":
            return announced(request)
        body = checked_xml(request, front.largest_message_bytes)
        head = front.named(request)
        sha256 = hashlib.sha256(body).hexdigest()
        if not _is_taken_already(head, sha256):
            document = front.incoming.put(incoming_key(head.transaction_id, sha256), body)
            _attach(front, head, document)
        return _started(front, head)

    def announced(request: Request) -> Answer:
        announcement = Announcement.from_data(_json(request))
        if announcement.length_bytes > front.largest_message_bytes:
            raise _too_large(front.largest_message_bytes)
        head = front.named(request)
        if _is_taken_already(head, announcement.sha256):
            return _started(front, head)
        place = upload_key(head.transaction_id)
        uploaded = front.incoming.find(place)
        if uploaded is None:
            return _where_to(front, head, place, announcement)
        if uploaded.sha256 != announcement.sha256:
            raise Problem(409, "Another message was uploaded for the transaction.", "another-message")
        # What is handed in is kept; what is only uploaded is deleted after a day.
        kept = incoming_key(head.transaction_id, uploaded.sha256)
        _attach(front, head, front.incoming.copy(uploaded, kept))
        return _started(front, head)

    return take_message


def _of_key(front: Front, owner: str, key: str) -> tuple[str, Head | None]:
    """The id that a key stands for, and what stands there; nothing where it is to be opened.

    A number is opened once the one before has ended without a message, and what has ended so stays so: the
    first that can get a message, or has one, is found by doubling and halving.

    Raises:
        Problem: 409, every one has ended without a message.
    """
    standing: dict[int, Head | None] = {}

    def is_good(number: int) -> bool:
        head = standing[number] = front.store.head(derived_id(owner, key, number))
        return head is None or (head.owner == owner and not _ended_empty(head))

    bound = 1
    while bound < _NUMBERS_OF_A_KEY and not is_good(bound - 1):
        bound *= 2
    within = range(_NUMBERS_OF_A_KEY)
    first = bisect_left(within, True, bound // 2, min(bound - 1, _NUMBERS_OF_A_KEY), key=is_good)
    if first == _NUMBERS_OF_A_KEY:
        raise Problem(409, "Too many transactions of this key have ended without a message.", "key-used-up")
    return derived_id(owner, key, first), standing[first]


def _ended_empty(head: Head) -> bool:
    """Whether it ended without a message, and can never get one: what is sent under its key has another."""
    return head.incoming is None and head.status in FINAL


def checked_xml(request: Request, most_bytes: int) -> bytes:
    """The body of a request that carries XML; what it says is the workflow's to judge.

    Raises:
        Problem: 415, 413, or 400 for no body.
    """
    charset = _CHARSET.search(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if request.media_type not in XML_TYPES or encoding != "identity":
        raise Problem(
            415,
            "A message is sent as application/xml or text/xml, without a content encoding.",
            headers={"Accept": ", ".join(XML_TYPES)},
        )
    if charset and charset[1].lower() not in ("utf-8", "us-ascii"):
        raise Problem(415, "A message is encoded in UTF-8.", headers={"Accept": ", ".join(XML_TYPES)})
    if len(request.body) > min(most_bytes, MOST_IN_A_REQUEST_BYTES):
        raise _too_large(most_bytes)
    if not request.body.strip():
        raise bad_request(BadField("body", "an ISO 20022 message in XML"))
    return request.body


def _too_large(most_bytes: int) -> Problem:
    in_a_request = min(most_bytes, MOST_IN_A_REQUEST_BYTES)
    return Problem(
        413,
        f"A message has at most {in_a_request} bytes in a request, and {most_bytes} bytes as an upload.",
        "message-too-large",
    )


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise Malformed("body", "JSON") from None


def _is_taken_already(head: Head, sha256: str) -> bool:
    """Whether the transaction has this very message; raises Problem where it cannot get it."""
    if head.incoming is not None:
        if head.incoming.sha256 == sha256:
            return True
        raise Problem(409, "The transaction has another message.", "another-message")
    if head.status is not Status.ACCP:
        raise _too_late(head)
    return False


def _too_late(head: Head) -> Problem:
    return Problem(409, f"The transaction is {head.status} and takes no message any more.", "too-late")


def _attach(front: Front, head: Head, document: Document) -> None:
    deadline = front.clock() + front.deadlines.before_it_is_read
    attached = front.store.attach(head.transaction_id, head.owner, document, deadline)
    if attached is Attached.CONFLICT:
        standing = front.store.head(head.transaction_id)
        if standing is not None and standing.incoming is None:
            raise _too_late(standing)
        raise Problem(409, "The transaction has got another message in the meantime.", "another-message")
    if attached is Attached.NOT_FOUND:
        raise Problem(404, "There is no such transaction.", "no-such-transaction")


def _started(front: Front, head: Head) -> Answer:
    """See that the workflow begins; sent again for as long as it has not."""
    standing = front.store.head(head.transaction_id) or head
    if standing.status is Status.ACCP:
        send_step(head.transaction_id, Next(StepName.RECEIVE), front.store, front.steps, front.clock)
    return Answer.of(202, summary(standing))


def _where_to(front: Front, head: Head, key: str, announcement: Announcement) -> Answer:
    """A place for the upload; the same request again, after it, hands the message in."""
    url = front.incoming.upload_url(key, announcement.length_bytes, announcement.sha256, _UPLOAD_VALID_FOR)
    headers = {
        "Content-Length": str(announcement.length_bytes),
        "If-None-Match": "*",
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(announcement.sha256)).decode(),
    }
    upload = {
        "method": "PUT",
        "url": url,
        "headers": headers,
        "expires_at": format_time(front.clock() + _UPLOAD_VALID_FOR),
    }
    return Answer.of(200, {**summary(head), "upload": upload})
