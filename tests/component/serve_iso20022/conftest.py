"""The API's function on ports in memory, called as the gateway calls it."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postbus.adapters.iso20022_schemas import of_folders
from postbus.domain.errors import Unavailable
from postbus.domain.iso20022.deadlines import Deadlines
from postbus.functions.serve_iso20022.front import Front
from postbus.functions.serve_iso20022.handler import build
from postbus.runtime.api import serve
from tests.fakes.gateway import CLIENT, SCOPES, event
from tests.fakes.iso20022 import InMemoryDocuments, InMemoryMessages, InMemorySteps
from tests.fakes.messages import NOON

LARGEST_BYTES = 20 * 1024 * 1024
DEADLINES = "pacs.008=30,pain.001=60,other=45,none=600"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Crash:
    """Fails one call of a port, counted over all ports: before it is done, or after."""

    at: int = -1
    after: bool = False
    calls: int = 0


class Crashing:
    """A port whose calls may fail."""

    def __init__(self, port: Any, crash: Crash) -> None:
        self._port = port
        self._crash = crash

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        def failing(*arguments: Any, **named: Any) -> Any:
            number, self._crash.calls = self._crash.calls, self._crash.calls + 1
            if number == self._crash.at and not self._crash.after:
                raise Unavailable("crashed before")
            result = call(*arguments, **named)
            if number == self._crash.at:
                raise Unavailable("crashed after")
            return result

        return failing


@dataclass
class Api:
    """One deployment of the API, and whoever calls it."""

    folder: Path | None = None
    store: InMemoryMessages = field(default_factory=InMemoryMessages)
    incoming: InMemoryDocuments = field(default_factory=InMemoryDocuments)
    outgoing: InMemoryDocuments = field(default_factory=InMemoryDocuments)
    steps: InMemorySteps = field(default_factory=InMemorySteps)
    crash: Crash = field(default_factory=Crash)
    now: datetime = NOON
    drawn: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    draw: Callable[[], UUID] | None = None

    def front(self) -> Front:
        return Front(
            store=Crashing(self.store, self.crash),
            incoming=Crashing(self.incoming, self.crash),
            outgoing=Crashing(self.outgoing, self.crash),
            steps=Crashing(self.steps, self.crash),
            clock=self._clock,
            draw=self.draw or (lambda: UUID(int=next(self.drawn), version=4)),
            schemas=lambda: of_folders([self.folder] if self.folder else []),
            deadlines=Deadlines.of_text(DEADLINES),
            home_region="eu-central-1",
            largest_message_bytes=LARGEST_BYTES,
            dependencies={
                "transactions": lambda: self.store.head("x"),
                "incoming messages": lambda: self.incoming.find("x"),
                "outgoing messages": lambda: self.outgoing.find("x"),
            },
        )

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        client: str | None = CLIENT,
        scopes: str = SCOPES,
        query: dict[str, str] | None = None,
        **headers: str,
    ) -> Reply:
        """Call ``path``, with a transaction's id in it where it has one; ``x_y`` is the header ``X-Y``."""
        parts = path.split("/")
        parameters = {}
        if len(parts) > 3 and parts[2] == "transactions":
            parameters = {"transaction_id": parts[3]}
            parts[3] = "{transaction_id}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = serve(
            event(method, "/".join(parts), parameters, named, query, body, client, scopes),
            build(self.front()),
        )
        return Reply(told["statusCode"], told["headers"], told["body"].encode())

    def opened(self, key: str | None = None) -> str:
        named = {} if key is None else {"idempotency_key": key}
        return str(self.call("POST", "/v1/transactions", **named).json["transaction_id"])

    def send(self, transaction_id: str, body: bytes = b"<Document/>", **headers: str) -> Reply:
        named = {"x_transaction_id": transaction_id, "content_type": "application/xml", **headers}
        return self.call("POST", "/v1/incoming", body, **named)


@pytest.fixture
def api() -> Api:
    return Api()
