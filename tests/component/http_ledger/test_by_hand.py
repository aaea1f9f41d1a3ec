"""The test server, used as a person would: started, told how to misbehave, asked what it has booked."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.component

ROOT = Path(__file__).resolve().parents[3]
REQUEST = {
    "kind": "purchase", "account": "acc-1", "direction": "debit", "content_hash": "0" * 32,
    "amount": {"amount": "1230", "currency": "EUR"}, "billing": {"amount": "1230", "currency": "EUR"},
}  # fmt: skip


@pytest.fixture
def port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.servers.misbehaving_ledger", "--port", "0", "--post", "refused"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline().strip().rpartition(":")[2])
        server.terminate()


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_it_misbehaves_as_told_and_keeps_its_books(port: int) -> None:
    key = {"Idempotency-Key": "visa-1"}
    assert ask(port, "POST", "/postings", REQUEST, **key)[0] == 422
    assert (
        ask(port, "PUT", "/_ways", {"POST": ["error_after_booking"], "usually": {"GET": "forbidden"}})[0]
        == 200
    )
    assert ask(port, "POST", "/postings", REQUEST, **key)[0] == 500
    assert ask(port, "GET", "/postings/visa-1")[0] == 403
    assert ask(port, "POST", "/postings", REQUEST, **key)[0] == 200
    _, books = ask(port, "GET", "/_books")
    assert books["times_booked"] == {"visa-1": 1}
