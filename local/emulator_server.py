"""Serves the embedded emulator; run by the Python of the emulator's own environment, without our packages.

    python -P emulator_server.py HOST PORT

An answer leaves in one piece.  In two, its head first, Terraform's provider now and then closes the
connection in between, as if nothing had been answered, and asks for the same creation again: which is there
by then.

SQS has one right for a call, be it about one message or about ten; the emulator would ask for another.
"""

import gc
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from ministack.core import iam_actions
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class _InOnePiece:
    """A transport that writes what is written within one turn of the loop together."""

    def __init__(self, transport: Any, loop: Any) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting:
            whole, self._waiting = b"".join(self._waiting), []
            self._transport.write(whole)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):  # type: ignore[misc]
    def connection_made(self, transport: Any) -> None:
        super().connection_made(_InOnePiece(transport, self.loop))


def _asked_as_by_aws(action_of: Callable[..., str | None]) -> Callable[..., str | None]:
    def action(*request: Any) -> str | None:
        found = action_of(*request)
        return found.removesuffix("Batch") if found and found.startswith("sqs:") else found

    return action


if __name__ == "__main__":
    iam_actions.extract_iam_action = _asked_as_by_aws(iam_actions.extract_iam_action)
    # It keeps all it was ever told, and nearly none of it ever becomes garbage: what has survived the
    # collector's first two looks is looked at again a hundred times more seldom than Python would by itself.
    gc.set_threshold(10_000, 20, 1_000)
    uvicorn.run(
        "ministack.app:app",
        host=sys.argv[1],
        port=int(sys.argv[2]),
        # A compiled parser answers twice as many requests.
        http=_Protocol,
        loop="asyncio",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        # The emulator itself names the server and the date of an answer, as AWS would.
        server_header=False,
        date_header=False,
    )
