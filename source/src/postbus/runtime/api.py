"""From an API Gateway REST event (proxy integration, payload 1.0) to a route, and back to an answer.

The only place that knows these events.  Whatever goes wrong is told as a problem document (RFC 9457), in
words of our own: an error's text never leaves the function.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.runtime.logging import log_unexpected, logger

PROBLEM_TYPE = "urn:postbus:problem:"
_RETRY_AFTER_SECONDS = "2"
# What is answered changes by the second, and may be money.
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the API.

    Attributes:
        route: method and path template, such as ``GET /v1/transactions/{transaction_id}``.
        headers: by lower-case name; the values of a repeated one joined by ``, ``.
        body: as it was sent.
        client_id: whom the token was given to, as the gateway checked it; ``None`` without one.
    """

    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    client_id: str | None = None
    scopes: frozenset[str] = frozenset()
    request_id: str = ""

    @classmethod
    def from_gateway(cls, event: Mapping[str, Any]) -> "Request":
        """Read a proxy event; raises Malformed for a body that is not what the event says."""
        context = event.get("requestContext") or {}
        claims = (context.get("authorizer") or {}).get("claims") or {}
        return cls(
            route=f"{event['httpMethod']} {event['resource']}",
            path=event.get("pathParameters") or {},
            query=_joined(event.get("multiValueQueryStringParameters"), event.get("queryStringParameters")),
            headers={
                name.lower(): value
                for name, value in _joined(event.get("multiValueHeaders"), event.get("headers")).items()
            },
            body=_body(event),
            client_id=claims.get("client_id") or None,
            scopes=frozenset(str(claims.get("scope") or "").split()),
            request_id=str(context.get("requestId") or ""),
        )

    @property
    def media_type(self) -> str:
        """``application/xml``, whatever parameters follow it; empty where none is named."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer."""

    status: int
    body: bytes = field(default=b"", repr=False)
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, data: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> "Answer":
        """JSON."""
        return cls(status, json.dumps(data, ensure_ascii=False).encode(), headers=headers or {})

    def to_gateway(self) -> dict[str, Any]:
        headers = {**_ALWAYS, "Content-Type": self.media_type, **self.headers}
        return {
            "statusCode": self.status,
            "headers": headers,
            "body": self.body.decode("utf-8"),
            "isBase64Encoded": False,
        }


@dataclass(frozen=True, slots=True)
class BadField:
    """What is wrong with a request: the header, parameter or element, and what was expected."""

    field: str
    expected: str


class Problem(Exception):
    """A call that is refused, in words for its caller.

    Args:
        name: of the kind of problem, such as ``another-message``; empty where the status says it all.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        name: str = "",
        errors: Sequence[BadField] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name
        self.errors = tuple(errors)
        self.headers = headers or {}

    def answer(self, request_id: str) -> Answer:
        document: dict[str, Any] = {
            "type": f"{PROBLEM_TYPE}{self.name}" if self.name else "about:blank",
            "title": _title(self.status),
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
        }
        if self.errors:
            document["errors"] = [{"field": one.field, "expected": one.expected} for one in self.errors]
        body = json.dumps(document, ensure_ascii=False).encode()
        return Answer(self.status, body, "application/problem+json", self.headers)


def bad_request(*errors: BadField) -> Problem:
    """400, naming each field."""
    return Problem(400, "The request cannot be understood as it is.", "bad-request", errors)


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API: who answers it, and the scope its caller needs, ``None`` for anybody."""

    answer: Callable[[Request], Answer]
    scope: str | None


def serve(event: Mapping[str, Any], routes: Mapping[str, Route]) -> dict[str, Any]:
    """Answer one event.

    Args:
        routes: by method and path template.
    """
    began = time.monotonic()
    request_id = str((event.get("requestContext") or {}).get("requestId") or "")
    route = f"{event.get('httpMethod')} {event.get('resource')}"
    try:
        answer = _answer(Request.from_gateway(event), routes)
    except Exception as error:  # noqa: BLE001 - sorted by who must act
        answer = _refusal(error).answer(request_id)
    milliseconds = round((time.monotonic() - began) * 1000)
    logger().info("answered", extra={"route": route, "status": answer.status, "milliseconds": milliseconds})
    return answer.to_gateway()


def _answer(request: Request, routes: Mapping[str, Route]) -> Answer:
    route = routes.get(request.route)
    if route is None:
        raise Problem(404, "There is no such path or method.")
    # The gateway has checked token and scope; a route it was told wrongly about stays closed all the same.
    if route.scope is not None:
        if request.client_id is None:
            raise Problem(401, "A valid access token is missing.", headers={"WWW-Authenticate": "Bearer"})
        if route.scope not in request.scopes:
            raise Problem(403, f"The access token lacks the scope {route.scope}.")
    return route.answer(request)


def _refusal(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case Malformed():
            return bad_request(BadField(error.field or "body", error.expected))
        case Unavailable() | OutcomeUnknown():
            logger().warning("unavailable", extra={"reason": str(error)})
            return Problem(
                503,
                "Not now; sent again, the same call does nothing twice.",
                headers={"Retry-After": _RETRY_AFTER_SECONDS},
            )
        case InvariantBroken():
            logger().error("broken", extra={"reason": str(error)})
        case _:
            log_unexpected(error)
    return Problem(500, "The request failed; sent again, the same call does nothing twice.")


def _title(status: int) -> str:
    # Python 3.13 took over RFC 9110's names; before, 413 had an older one.
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


def _joined(several: Mapping[str, Sequence[str]] | None, single: Mapping[str, str] | None) -> dict[str, str]:
    if several:
        return {name: ", ".join(dict.fromkeys(values)) for name, values in several.items()}
    return dict(single or {})


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Malformed("body", "base64, where the gateway says so") from None
