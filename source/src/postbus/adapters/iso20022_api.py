"""The ISO 20022 API over HTTP: what to ask, and which answers are answers.

Every request may be repeated: a transaction is opened under a key of the message's own, and the same body
under the same transaction changes nothing.  A refusal is one only in the API's own form, a problem document;
anything a proxy or a gateway might have said in its place is no answer, and neither is whatever concerns the
client rather than the message.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from postbus.adapters.http_exchange import Deadlines, Exchange, Reply
from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.brokered import Accepted, NotOurs, Outgoing, Refused, StillOpen

_PROBLEM = "application/problem+json"
# About the message, whoever sends it.  401, 403, 404, 408, 425 and 429 are about the client or the moment.
_REFUSALS = frozenset({400, 409, 413, 415, 422})
_TRANSACTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MOST_OF_A_REASON = 500
_MOST_BYTES = 8 * 1024 * 1024
# The gateway in front gives up after 29 seconds; the function behind it answers in less than one.
_DEADLINES = Deadlines(connect=2.0, total=12.0)


class Credentials(Protocol):
    """What opens the API's door."""

    def authorization(self) -> str: ...

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
        """See ``ports.MessageApi``: its own word on the stores and queues behind it."""
        reply = self._ask("GET", "/health/deep", {})
        if reply.status != 200:
            raise Unavailable(f"GET /health/deep answered {reply.status}")

    def submit(self, key: str, body: bytes) -> Accepted | Refused:
        """See ``ports.MessageApi``.

        Args:
            key: sent as ``Idempotency-Key``: the same client and key open the same transaction.
        """
        transaction_id = self._open(key)
        headers = {"X-Transaction-Id": transaction_id, "Content-Type": "application/xml"}
        reply = self._ask("POST", "/incoming", headers, body)
        if reply.status == 202:
            return Accepted(transaction_id)
        if reply.status in _REFUSALS and reply.media_type == _PROBLEM:
            return Refused(transaction_id, _in_words(reply))
        raise Unavailable(f"POST /incoming answered {reply.status}")

    def outgoing(self, transaction_id: str) -> Outgoing | StillOpen | NotOurs:
        """See ``ports.MessageApi``."""
        reply = self._ask("GET", "/outgoing", {"X-Transaction-Id": transaction_id})
        match reply.status:
            case 200 if reply.media_type in ("application/xml", "text/xml") and reply.body:
                return Outgoing(reply.body)
            case 202:
                return StillOpen()
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
            reply = self._exchange.request(method, self._base + path, sent, body)
            if reply.status != 401:
                return reply
            self._credentials.renew()
        raise Unavailable(f"{method} {path} answered 401 to a fresh token")


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
