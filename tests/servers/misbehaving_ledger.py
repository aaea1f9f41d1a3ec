"""An external posting system that keeps its contract, and breaks it in every way a network can.

A real HTTP server with real books, for the tests and by hand:

    python -m tests.servers.misbehaving_ledger --port 8480 --post drop_after_booking,slow_body
    curl -s http://127.0.0.1:8480/_books
    curl -s -X PUT http://127.0.0.1:8480/_ways -d '{"POST": ["too_many"], "usually": {"GET": "silent"}}'

Each request takes the next way queued for its method; with none left it takes the usual one, at first `good`.
What is booked and what is answered are separate acts: that is the whole point.
"""

import argparse
import base64
import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote


class Way(StrEnum):
    """How to treat one request."""

    GOOD = "good"
    # Booked (or looked up) as it should be, and then told badly or not at all.
    SILENT = "silent"
    SLOW_HEADERS = "slow_headers"
    SLOW_BODY = "slow_body"
    DROP_AFTER_BOOKING = "drop_after_booking"
    ERROR_AFTER_BOOKING = "error_after_booking"
    TRUNCATED_BODY = "truncated_body"
    TRUNCATED_JSON = "truncated_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    NOT_HTTP = "not_http"
    HUGE_BODY = "huge_body"
    CREATED_AGAIN = "created_again"
    ANOTHER_AMOUNT = "another_amount"
    ANOTHER_KEY = "another_key"
    UNBALANCED = "unbalanced"
    ANOTHER_ACCOUNT = "another_account"
    # Nothing is booked.
    DROP_BEFORE_READING = "drop_before_reading"
    ERROR_BEFORE_BOOKING = "error_before_booking"
    OVERLOADED = "overloaded"
    TOO_MANY = "too_many"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NO_SUCH_PATH = "no_such_path"
    REDIRECT = "redirect"
    LOGIN_PAGE = "login_page"
    CONFLICT = "conflict"
    REFUSED = "refused"
    REFUSED_BY_PROXY = "refused_by_proxy"
    NOT_UNDERSTOOD = "not_understood"


NOT_BOOKED = frozenset(list(Way)[list(Way).index(Way.DROP_BEFORE_READING) :])
# A client that gives these any business meaning, or gives up, loses or doubles money.
PASSING = frozenset(Way) - {
    Way.ANOTHER_AMOUNT,
    Way.ANOTHER_KEY,
    Way.UNBALANCED,
    Way.ANOTHER_ACCOUNT,
    Way.CONFLICT,
    Way.REFUSED,
    Way.NOT_UNDERSTOOD,
}


class Books:
    """The postings, by idempotency key.  A refusal is remembered under its key as well."""

    def __init__(self) -> None:
        self.postings: dict[str, dict[str, Any]] = {}
        self.times_booked: Counter[str] = Counter()
        self.closed_accounts: set[str] = set()
        self._requests: dict[str, Any] = {}
        self._refusals: dict[str, dict[str, Any]] = {}

    def book(self, key: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Book once, answer as the contract says: (status, document)."""
        if key in self._requests and self._requests[key] != request:
            return 409, problem(409, "KEY_REUSED", "The key stands for another posting")
        self._requests[key] = request
        if key in self._refusals:
            return 422, self._refusals[key]
        if key in self.postings:
            return 200, self.postings[key]
        reason = self._objection(request)
        if reason:
            self._refusals[key] = problem(422, *reason)
            return 422, self._refusals[key]
        self.postings[key] = self._posting(key, request)
        self.times_booked[key] += 1
        return 201, self.postings[key]

    def _objection(self, request: Mapping[str, Any]) -> tuple[str, str] | None:
        if request["account"] in self.closed_accounts:
            return "ACCOUNT_CLOSED", "The account is closed"
        if "reverses" in request:
            original = self.postings.get(request["reverses"])
            if original is None:
                return "UNKNOWN_ORIGINAL", "There is nothing to reverse"
            reversed_minor = sum(
                int(posting["amount"]["amount"])
                for posting in self.postings.values()
                if posting.get("reverses") == request["reverses"]
            )
            if reversed_minor + int(request["amount"]["amount"]) > int(original["amount"]["amount"]):
                return "REVERSAL_EXCEEDS_ORIGINAL", "More than was posted"
        return None

    def _posting(self, key: str, request: Mapping[str, Any]) -> dict[str, Any]:
        billing = request["billing"]
        contra = request.get("counterparty") or f"clearing-{billing['currency']}"
        other = {"debit": "credit", "credit": "debit"}[request["direction"]]
        return {
            **request,
            "idempotency_key": key,
            "posting_id": f"P{len(self.postings) + 1:06}",
            "entries": [
                {"account": request["account"], "direction": request["direction"], **billing},
                {"account": contra, "direction": other, **billing},
            ],
        }


def problem(status: int, code: str, title: str) -> dict[str, Any]:
    """A problem document (RFC 9457) with the contract's ``code``."""
    return {"type": "about:blank", "status": status, "code": code, "title": title}


class MisbehavingLedger:
    """The server; a context manager.  ``requests`` tells what was asked: (method, key or path, way)."""

    def __init__(
        self,
        port: int = 0,
        tokens: Iterable[str] = (),
        client: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            port: on 127.0.0.1; 0 for any free one.
            tokens: bearer tokens that are let in; none given lets everybody in.
            client: (id, secret) that ``POST /oauth/token`` grants tokens to.
        """
        self.books = Books()
        self.tokens = set(tokens)
        self.client = client
        self.granted_life_seconds = 300
        self.retry_after = "1"
        self.requests: list[tuple[str, str, str]] = []
        self.seen_authorizations: list[str] = []
        self.connections: list[socket.socket] = []
        self.stopping = threading.Event()
        self._queued: dict[str, deque[Way]] = {"POST": deque(), "GET": deque()}
        self._usual = {"POST": Way.GOOD, "GET": Way.GOOD}
        self.lock = threading.RLock()
        self._http = _Server(("127.0.0.1", port), _handler_of(self))
        self._http.tls = tls
        self.port = self._http.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "MisbehavingLedger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def serve(self) -> None:
        """Serve in this thread until interrupted."""
        self._http.serve_forever()

    def post_ways(self, *ways: Way) -> None:
        self._queued["POST"].extend(ways)

    def get_ways(self, *ways: Way) -> None:
        self._queued["GET"].extend(ways)

    def usually(self, method: str, way: Way) -> None:
        self._usual[method] = way

    def behave(self) -> None:
        """From now on, good."""
        for queue in self._queued.values():
            queue.clear()
        self._usual = {"POST": Way.GOOD, "GET": Way.GOOD}

    def next_way(self, method: str) -> Way:
        with self.lock:
            queue = self._queued[method]
            return queue.popleft() if queue else self._usual[method]

    def hang_up(self) -> None:
        """Close every connection, as a server does that was restarted or has waited long enough."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def asked(self, method: str) -> int:
        """How many requests of this method there have been."""
        return sum(1 for seen, _, _ in self.requests if seen == method)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread, so that a client that breaks the handshake off holds nobody up.
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # clients that hang up are what this is for
            super().handle_error(request, client_address)


def _handler_of(ledger: MisbehavingLedger) -> type[BaseHTTPRequestHandler]:
    """The request handler class bound to one server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            ledger.connections.append(self.connection)

        def log_message(self, *_: Any) -> None:
            pass

        def do_PUT(self) -> None:
            wishes = json.loads(self._body())
            for method in ("POST", "GET"):
                ledger._queued[method].extend(Way(way) for way in wishes.get(method, ()))
            for method, way in wishes.get("usually", {}).items():
                ledger.usually(method, Way(way))
            self._answer(200, {"queued": {method: list(queue) for method, queue in ledger._queued.items()}})

        def do_POST(self) -> None:
            if self.path == "/oauth/token":
                self._grant()
                return
            way = ledger.next_way("POST")
            key = self.headers.get("Idempotency-Key", "")
            ledger.requests.append(("POST", key, way))
            if way is Way.DROP_BEFORE_READING:
                self._reset()
                return
            body = self._body()
            if not self._let_in(way):
                return
            if way in NOT_BOOKED:
                self._turn_away(way)
                return
            if not self.path.endswith("/postings") or not key:
                self._answer(404, problem(404, "NOT_FOUND", "No such path"))
                return
            with ledger.lock:
                status, document = ledger.books.book(key, json.loads(body))
            self._tell(way, status, document)

        def do_GET(self) -> None:
            if self.path == "/_books":
                books = ledger.books
                self._answer(
                    200,
                    {
                        "postings": books.postings,
                        "times_booked": books.times_booked,
                        "requests": ledger.requests,
                    },
                )
                return
            way = ledger.next_way("GET")
            folder, _, name = self.path.rpartition("/")
            key = unquote(name)
            ledger.requests.append(("GET", key, way))
            if way is Way.DROP_BEFORE_READING:
                self._reset()
                return
            if not self._let_in(way):
                return
            if way in NOT_BOOKED:
                self._turn_away(way)
                return
            posting = ledger.books.postings.get(key) if folder.endswith("/postings") else None
            if posting is None:
                self._tell(way, 404, problem(404, "NOT_FOUND", "Nothing is booked under this key"))
            else:
                self._tell(way, 200, posting)

        def _let_in(self, way: Way) -> bool:
            authorization = self.headers.get("Authorization", "")
            ledger.seen_authorizations.append(authorization)
            stranger = ledger.tokens and authorization.removeprefix("Bearer ") not in ledger.tokens
            if way is Way.UNAUTHORIZED or stranger:
                self._answer(401, problem(401, "UNAUTHORIZED", "Not let in"), {"WWW-Authenticate": "Bearer"})
                return False
            return True

        def _grant(self) -> None:
            form = parse_qs(self._body().decode())
            expected = base64.b64encode(":".join(ledger.client or ("", "")).encode()).decode()
            ledger.requests.append(("TOKEN", self.path, Way.GOOD))
            right = self.headers.get("Authorization") == f"Basic {expected}"
            if ledger.client is None or not right or form.get("grant_type") != ["client_credentials"]:
                self._answer(401, {"error": "invalid_client"})
                return
            token = f"granted-{len(ledger.requests)}"
            ledger.tokens.add(token)
            self._answer(
                200,
                {"access_token": token, "token_type": "Bearer", "expires_in": ledger.granted_life_seconds},
            )

        def _turn_away(self, way: Way) -> None:
            pause = {"Retry-After": ledger.retry_after}
            match way:
                case Way.ERROR_BEFORE_BOOKING:
                    self._answer(500, problem(500, "INTERNAL", "Try again"))
                case Way.OVERLOADED:
                    self._answer(503, problem(503, "OVERLOADED", "Later"), pause)
                case Way.TOO_MANY:
                    self._answer(429, problem(429, "TOO_MANY", "Slowly"), pause)
                case Way.FORBIDDEN:
                    self._answer(403, problem(403, "FORBIDDEN", "Not yours"))
                case Way.NO_SUCH_PATH:
                    self._answer(404, problem(404, "NOT_FOUND", "No such path"))
                case Way.REDIRECT:
                    self._answer(307, {}, {"Location": f"{ledger.url}/elsewhere/postings"})
                case Way.LOGIN_PAGE:
                    self._write(200, b"<html><form>Log in</form></html>", {"Content-Type": "text/html"})
                case Way.CONFLICT:
                    self._answer(409, problem(409, "KEY_REUSED", "The key stands for another posting"))
                case Way.REFUSED:
                    self._answer(422, problem(422, "INSUFFICIENT_FUNDS", "Not enough money"))
                case Way.REFUSED_BY_PROXY:
                    self._write(422, json.dumps({"code": "BLOCKED_BY_FIREWALL"}).encode(), {})
                case Way.NOT_UNDERSTOOD:
                    self._answer(400, problem(400, "NOT_UNDERSTOOD", "Not a posting request"))

        def _tell(self, way: Way, status: int, document: Mapping[str, Any]) -> None:
            match way:
                case Way.SILENT:
                    self._linger()
                case Way.SLOW_HEADERS:
                    self._drip(b"HTTP/1.1 201 Created\r\nX-Slow: " + b"z" * 60000)
                case Way.SLOW_BODY:
                    self.connection.sendall(
                        f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: 60000\r\n\r\n".encode()
                    )
                    self._drip(b" " * 60000)
                case Way.DROP_AFTER_BOOKING:
                    self._reset()
                case Way.ERROR_AFTER_BOOKING:
                    self._answer(500, problem(500, "INTERNAL", "Try again"))
                case Way.TRUNCATED_BODY:
                    body = json.dumps(document).encode()
                    self._write(status, body[:-7], {"Content-Length": str(len(body))})
                    self.close_connection = True
                case Way.TRUNCATED_JSON:
                    self._write(status, json.dumps(document).encode()[:-7], {})
                case Way.WRONG_CONTENT_TYPE:
                    self._write(status, json.dumps(document).encode(), {"Content-Type": "text/html"})
                case Way.NOT_HTTP:
                    self.connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46 this is not HTTP\r\n\r\n")
                    self.close_connection = True
                case Way.HUGE_BODY:
                    self._flood(status)
                case Way.CREATED_AGAIN:
                    self._answer(201 if status == 200 else status, document)
                case Way.ANOTHER_AMOUNT:
                    self._answer(status, {**document, "amount": {"amount": "1", "currency": "EUR"}})
                case Way.ANOTHER_KEY:
                    self._answer(status, {**document, "idempotency_key": "somebody-else"})
                case Way.UNBALANCED:
                    self._answer(status, {**document, "entries": document.get("entries", [])[:1]})
                case Way.ANOTHER_ACCOUNT:
                    theirs = {"account": "somebody-else"}
                    entries = [{**entry, **theirs} for entry in document.get("entries", [])]
                    self._answer(status, {**document, "entries": entries})
                case _:
                    self._answer(status, document)

        def _answer(
            self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
        ) -> None:
            kind = "application/problem+json" if "code" in document else "application/json"
            self._write(status, json.dumps(document).encode(), {"Content-Type": kind, **(headers or {})})

        def _write(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            everything = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
            self.send_response(status)
            for name, value in everything.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _flood(self, status: int) -> None:
            self.connection.sendall(
                f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n\r\n".encode()
            )
            piece = b" " * 65536
            for _ in range(4096):  # a quarter of a gibibyte, unless the client has had enough
                if ledger.stopping.is_set():
                    break
                self.connection.sendall(piece)
            self.close_connection = True

        def _drip(self, content: bytes) -> None:
            for byte in content:
                if ledger.stopping.wait(0.01):
                    break
                self.connection.sendall(bytes([byte]))
            self.close_connection = True

        def _linger(self) -> None:
            ledger.stopping.wait(30)
            self.close_connection = True

        def _reset(self) -> None:
            # Linger of zero: the peer sees a reset, not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

    return Handler


def _ways(text: str) -> list[Way]:
    try:
        return [Way(name) for name in text.split(",") if name]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; there are {', '.join(Way)}") from None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8480, help="on 127.0.0.1 (default 8480)")
    parser.add_argument("--token", action="append", default=[], help="let in only with this bearer token")
    names = ", ".join(Way)
    parser.add_argument("--post", type=_ways, default=[], help=f"ways for the next POSTs, by comma: {names}")
    parser.add_argument("--get", type=_ways, default=[], help="ways for the next GETs")
    given = parser.parse_args()
    ledger = MisbehavingLedger(given.port, given.token)
    ledger.post_ways(*given.post)
    ledger.get_ways(*given.get)
    sys.stdout.write(f"posting system on {ledger.url}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        ledger.serve()


if __name__ == "__main__":
    main()
