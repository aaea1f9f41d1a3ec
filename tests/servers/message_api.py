"""The ISO 20022 API as a client meets it: an HTTP server that opens, takes and answers, and fails when told.

Each request takes the next way queued for its route; with none left it does as it should.
"""

import hashlib
import json
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What to answer instead: a status, or nothing at all, before or after doing what was asked.
Way = int | str
DROP_BEFORE = "drop before"
DROP_AFTER = "drop after"
PROXY_REFUSAL = "a proxy's 400"
TOO_LATE = "a 409 for a transaction that has ended"


@dataclass
class MessageApiServer:
    """In a thread of its own, on loopback.

    Attributes:
        incoming: the stored messages by transaction id.
        outgoing: what there is to fetch, by transaction id; ``None`` while a transaction is open.
        opened: how many transactions were opened, by key.
        refuse: says why a message is refused, ``None`` if it is not.
        api_key: without which nobody is let in; ``None`` where none is asked for.
        elsewhere: by transaction id, the ``Location`` and ``ETag`` of what is fetched from another place.
        lying: by path, what is fetched by its address alone; with credentials it is refused.
    """

    incoming: dict[str, bytes] = field(default_factory=dict)
    outgoing: dict[str, bytes | None] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    tokens: int = 0
    is_healthy: bool = True
    api_key: str | None = None
    elsewhere: dict[str, tuple[str, str]] = field(default_factory=dict)
    lying: dict[str, bytes] = field(default_factory=dict)
    refuse: Callable[[bytes], str | None] = lambda _body: None
    ways: dict[str, deque[Way]] = field(default_factory=lambda: defaultdict(deque))
    before_answer: Callable[[str], None] = lambda _route: None

    def __enter__(self) -> "MessageApiServer":
        api = self

        class Handler(_Handler):
            served = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/stage"

    @property
    def credentials(self) -> dict[str, str]:
        origin = self.url.removesuffix("/stage")
        key = {} if self.api_key is None else {"api_key": self.api_key}
        return {
            "client_id": "bridge",
            "client_secret": "secret",
            "token_url": f"{origin}/oauth2/token",
            **key,
        }


class _Handler(BaseHTTPRequestHandler):
    served: MessageApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route = f"{self.command} {self.path.removeprefix('/stage')}"
        way = self.served.ways[route].popleft() if self.served.ways[route] else None
        if way == DROP_BEFORE:
            self.close_connection = True
            return
        if way == PROXY_REFUSAL:
            self._answer(400, b"<html>", "text/html")
            return
        if way == TOO_LATE:
            self._answer(*_problem(409, "Conflict", type="urn:postbus:problem:too-late"))
            return
        if isinstance(way, int):
            self._problem(way, "told to")
            return
        status, content, media_type, *headers = self._do(route, body)
        self.served.before_answer(route)
        if way == DROP_AFTER:
            self.close_connection = True
            return
        self._answer(status, content, media_type, *headers)

    def _do(self, route: str, body: bytes) -> tuple[int, bytes, str] | tuple[int, bytes, str, dict[str, str]]:
        served = self.served
        if route == "POST /oauth2/token":
            served.tokens += 1
            return _json(200, {"access_token": f"token-{served.tokens}", "expires_in": 3600})
        if route.removeprefix("GET ") in served.lying:
            # As S3 does: an address that is signed and a header beside it are one too many.
            if "Authorization" in self.headers or "x-api-key" in self.headers:
                return _problem(400, "Only one of them is allowed")
            return 200, served.lying[route.removeprefix("GET ")], "application/xml"
        if served.api_key is not None and self.headers.get("x-api-key") != served.api_key:
            return _problem(403, "The API key is missing or unknown")
        if self.headers.get("Authorization") != f"Bearer token-{served.tokens}":
            return _problem(401, "Unauthorized")
        transaction_id = self.headers.get("X-Transaction-Id", "")
        match route:
            case "GET /v1/health/deep":
                return _json(200, {}) if served.is_healthy else _problem(503, "Not now")
            case "POST /v1/transactions":
                key = self.headers["Idempotency-Key"]
                made = uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4)
                return _json(200, {"transaction_id": served.opened.setdefault(key, str(made))})
            case "POST /v1/incoming":
                return self._take(transaction_id, body)
            case "GET /v1/outgoing" if transaction_id in served.elsewhere:
                location, tag = served.elsewhere[transaction_id]
                return *_json(303, {}), {"Location": location, "ETag": tag}
            case "GET /v1/outgoing" if transaction_id in served.outgoing:
                found = served.outgoing[transaction_id]
                return (200, found, "application/xml") if found is not None else _json(202, {})
        return _problem(404, "Not found")

    def _take(self, transaction_id: str, body: bytes) -> tuple[int, bytes, str]:
        served = self.served
        served.submitted.append(transaction_id)
        if transaction_id not in served.opened.values():
            return _problem(404, "Not found")
        if reason := served.refuse(body):
            return _problem(400, reason)
        if served.incoming.setdefault(transaction_id, body) != body:
            return _problem(409, "Another message has this transaction")
        return _json(202, {"transaction_id": transaction_id})

    def _problem(self, status: int, title: str) -> None:
        self._answer(*_problem(status, title))

    def _answer(
        self, status: int, content: bytes, media_type: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _json(status: int, data: Any) -> tuple[int, bytes, str]:
    return status, json.dumps(data).encode(), "application/json"


def _problem(status: int, title: str, **more: str) -> tuple[int, bytes, str]:
    told = {"title": title, "status": status, **more}
    return status, json.dumps(told).encode(), "application/problem+json"
