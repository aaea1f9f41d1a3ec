"""The ISO 20022 API over HTTP: what to ask, and which answers are answers.

Every request may be repeated: a transaction is opened under a key of the message's own, and the same body
under the same transaction changes nothing.  A refusal is one only in the API's own form, a problem document;
anything a proxy or a gateway might have said in its place is no answer, and neither is whatever concerns the
client rather than the message.

A large document lies elsewhere: the API says where, for a few minutes, and what its hash is.  That address is
all it takes to fetch it, so no credentials go there, and none of it is told in an error.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from postbus.adapters.http_exchange import Deadlines, Exchange, Reply
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.domain.iso20022.brokered import Accepted, NotOurs, Outgoing, Refused, StillOpen

_PROBLEM = "application/problem+json"
# About the message, whoever sends it.  401, 403, 404, 408, 425 and 429 are about the client or the moment.
_REFUSALS = frozenset({400, 409, 413, 415, 422})
# About the transaction alone: its time was over before the message came.
_TOO_LATE = "urn:postbus:problem:too-late"
_TRANSACTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MOST_OF_A_REASON = 500
_MOST_BYTES = 8 * 1024 * 1024
# The gateway in front gives up after 29 seconds; the function behind it answers in less than one.
_DEADLINES = Deadlines(connect=2.0, total=12.0)
# An answer is not much longer than its message, and a message has 50 MiB at most.
_MOST_BYTES_ELSEWHERE = 64 * 1024 * 1024
_DEADLINES_ELSEWHERE = Deadlines(connect=2.0, total=20.0)
_HASH = re.compile(r'"([0-9a-f]{64})"', re.ASCII)


class Credentials(Protocol):
    """What opens the API's door."""

    def authorization(self) -> str: ...

    def api_key(self) -> str | None: ...

    def renew(self) -> None: ...


class HttpMessageApi:
    """The routes that a bridge needs.  Not for several threads at once."""

    def __init__(self, exchange: Exchange, credentials: Credentials, base_path: str = "") -> None:
        self._exchange = exchange
        self._credentials = credentials
        self._base = base_path.rstrip("/") + "/v1"

    @classmethod
    def at(cls, url: str, credentials: Credentials) -> "HttpMessageApi":
        """The one whose base URL is ``https://host[:port][/stage]``; raises ValueError for another form."""
        parts = urlsplit(url)
        exchange = Exchange(f"{parts.scheme}://{parts.netloc}", _DEADLINES, most_bytes=_MOST_BYTES)
        return cls(exchange, credentials, parts.path)

    def check(self) -> None:
        """See ``ports_iso20022.MessageApi``: its own word on the stores and queues behind it."""
        reply = self._ask("GET", "/health/deep", {})
        if reply.status != 200:
            raise Unavailable(f"GET /health/deep answered {reply.status}")

    def submit(self, key: str, body: bytes) -> Accepted | Refused:
        """See ``ports_iso20022.MessageApi``.

        Args:
            key: sent as ``Idempotency-Key``: the same client and key open the same transaction.
        """
        transaction_id = self._open(key)
        headers = {"X-Transaction-Id": transaction_id, "Content-Type": "application/xml"}
        reply = self._ask("POST", "/incoming", headers, body)
        if reply.status == 202:
            return Accepted(transaction_id)
        if reply.status == 409 and _object(reply).get("type") == _TOO_LATE:
            raise Unavailable("the transaction ended before its message came: the key opens another one")
        if reply.status in _REFUSALS and reply.media_type == _PROBLEM:
            return Refused(transaction_id, _in_words(reply))
        raise Unavailable(f"POST /incoming answered {reply.status}")

    def outgoing(self, transaction_id: str) -> Outgoing | StillOpen | NotOurs:
        """See ``ports_iso20022.MessageApi``."""
        reply = self._ask("GET", "/outgoing", {"X-Transaction-Id": transaction_id})
        match reply.status:
            case 200 if reply.media_type in ("application/xml", "text/xml") and reply.body:
                return Outgoing(reply.body)
            case 202:
                return StillOpen()
            case 303:
                return Outgoing(_fetched(reply))
            case 404 if reply.media_type == _PROBLEM:
                return NotOurs()
        raise Unavailable(f"GET /outgoing answered {reply.status}")

    def standing(self, transaction_id: str) -> Mapping[str, Any]:
        """Where a transaction stands, as ``GET /v1/transactions/{transaction_id}`` tells it."""
        reply = self._ask("GET", f"/transactions/{transaction_id}", {})
        told = _object(reply)
        if reply.status != 200 or not isinstance(told.get("history"), list):
            raise Unavailable(f"GET /transactions answered {reply.status}")
        return told

    def _open(self, key: str) -> str:
        reply = self._ask("POST", "/transactions", {"Idempotency-Key": key})
        transaction_id = _object(reply).get("transaction_id") if reply.status == 200 else None
        if not isinstance(transaction_id, str) or not _TRANSACTION_ID.fullmatch(transaction_id):
            raise Unavailable(f"POST /transactions answered {reply.status} without a transaction id")
        return transaction_id

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """The answer; asked once more with a fresh token where the first was not taken."""
        for _ in range(2):
            sent = {**headers, "Authorization": self._credentials.authorization()}
            if key := self._credentials.api_key():
                sent["x-api-key"] = key
            reply = self._exchange.request(method, self._base + path, sent, body)
            if reply.status != 401:
                return reply
            self._credentials.renew()
        raise Unavailable(f"{method} {path} answered 401 to a fresh token")


def _fetched(told: Reply) -> bytes:
    """The document that lies where a 303 says: those very bytes, or none.

    Raises:
        Unavailable: the 303 names no place or no hash, or the place has something else, or does not answer.
    """
    digest = _HASH.fullmatch(told.headers.get("etag", ""))
    if digest is None:
        raise Unavailable("GET /outgoing answered 303 without a hash")
    try:
        place = urlsplit(told.headers.get("location", ""))
        origin = f"{place.scheme}://{place.netloc}"
        exchange = Exchange(origin, _DEADLINES_ELSEWHERE, most_bytes=_MOST_BYTES_ELSEWHERE)
    except ValueError:
        raise Unavailable("GET /outgoing answered 303 without a place to fetch from") from None
    try:
        reply = exchange.request("GET", f"{place.path or '/'}?{place.query}", {})
    except OutcomeUnknown as error:
        # Its words, and a chained error's too, have the address.
        raise Unavailable(f"no document from where it lies: {type(error.__cause__).__name__}") from None
    finally:
        exchange.close()
    if reply.status != 200:
        raise Unavailable(f"where the document lies answered {reply.status}")
    if hashlib.sha256(reply.body).hexdigest() != digest[1]:
        raise Unavailable("where the document lies is another one")
    return reply.body


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_words(reply: Reply) -> str:
    """Status, title and detail of a problem document (RFC 9457)."""
    problem = _object(reply)
    said = [problem[name] for name in ("title", "detail") if isinstance(problem.get(name), str)]
    return ": ".join([str(reply.status), *said])[:_MOST_OF_A_REASON]
