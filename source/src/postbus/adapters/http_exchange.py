"""One HTTP exchange at a time, within a deadline, that tells "nothing was sent" from "it may have arrived".

The standard library's client and not a pooling one: the difference between those two failures decides
whether money moves twice, so connecting and sending must be separate acts, and nothing may retry or follow
a redirect by itself.  Read time-outs of the usual clients run per packet; here a server that drips one byte
a second meets the same deadline as a silent one.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from postbus.domain.errors import OutcomeUnknown, Unavailable

_MOST_BYTES = 256 * 1024
# Longer unused than this, and a peer or a balancer may have dropped the connection without a word.
_IDLE_SECONDS = 20.0
_NO_ORIGIN = "not an origin such as https://ledger.example"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer.

    Attributes:
        headers: by lower-case name; the last of a repeated one.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """``application/json``, whatever parameters follow it."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds; ``total`` bounds the whole exchange but the name look-up, which the platform bounds."""

    connect: float = 2.0
    total: float = 4.0


class Exchange:
    """Requests to one origin over one kept-alive connection.  Not for several threads at once."""

    def __init__(
        self,
        origin: str,
        deadlines: Deadlines | None = None,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        """
        Args:
            origin: ``https://host[:port]``; plain ``http`` only to this machine: credentials travel along.
            tls: whose certificates to trust, by default the platform's authorities; must check names.
            most_bytes: of an answer's body.
        Raises:
            ValueError: the origin is not of that form.
        """
        try:
            parts = urlsplit(origin)
            host, port = parts.hostname, parts.port
        except ValueError:  # its words quote the origin, which may hold credentials by mistake
            raise ValueError(_NO_ORIGIN) from None
        if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or parts.query:
            raise ValueError(_NO_ORIGIN)
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ValueError("plain http is for this machine only: use https")
        self._host = host
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._tls = None if parts.scheme == "http" else tls or ssl.create_default_context()
        self._deadlines = deadlines or Deadlines()
        self._monotonic = monotonic
        self._most_bytes = most_bytes
        self._socket: socket.socket | None = None
        self._used_at = 0.0

    def connect(self) -> None:
        """Make sure that there is a connection.

        Raises:
            Unavailable: refused, no such name, no answer in time, or a certificate that is not the host's.
        """
        if self._socket is not None and not self._gone_stale(self._socket):
            return
        self.close()
        until = self._monotonic() + self._deadlines.connect
        try:
            plain = socket.create_connection((self._host, self._port), timeout=self._deadlines.connect)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.settimeout(max(until - self._monotonic(), 0.001))
                self._socket = (
                    self._tls.wrap_socket(plain, server_hostname=self._host) if self._tls else plain
                )
            except OSError:
                plain.close()
                raise
        except OSError as error:  # TimeoutError, gaierror and SSLError are OSErrors too
            raise Unavailable(f"no connection to {self._host}:{self._port}: {_in_words(error)}") from error
        self._used_at = self._monotonic()

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """Send one request and read its whole answer.

        Raises:
            Unavailable: there was no connection, so nothing was sent.
            OutcomeUnknown: something was sent, and no complete HTTP answer of bearable size came in time.
        """
        self.connect()
        assert self._socket is not None
        timed = _TimedSocket(self._socket, self._monotonic() + self._deadlines.total, self._monotonic)
        connection = HTTPConnection(self._host, self._port)
        connection.sock = timed
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            response = connection.getresponse()
            content = _whole(response, self._most_bytes)
        except (OSError, HTTPException, ValueError, OverflowError) as error:  # a chunk of -5 bytes, say
            self.close()
            raise OutcomeUnknown(f"{method} {target}: {_in_words(error)}") from error
        if timed.to_be_closed:
            self.close()
        self._used_at = self._monotonic()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _gone_stale(self, connected: socket.socket) -> bool:
        """Whether the peer has hung up, or said something nobody asked for, or been silent for long."""
        if self._monotonic() - self._used_at > _IDLE_SECONDS:
            return True
        connected.settimeout(0)
        try:
            connected.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):  # nothing there, or a TLS session ticket
            return False
        except OSError:
            pass
        return True


class _TimedSocket:
    """As much of a socket as ``http.client`` uses, with what is left of the deadline as every time-out."""

    def __init__(self, connected: socket.socket, until: float, monotonic: Callable[[], float]) -> None:
        self._socket = connected
        self._until = until
        self._monotonic = monotonic
        self.to_be_closed = False

    def hurry(self) -> None:
        left = self._until - self._monotonic()
        if left <= 0:
            raise TimeoutError("no complete answer within the deadline")
        self._socket.settimeout(left)

    def sendall(self, data: Any) -> None:
        self.hurry()
        self._socket.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        self.hurry()
        return self._socket.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def close(self) -> None:
        """``http.client`` closes before it has read the body, where told to; the exchange closes after."""
        self.to_be_closed = True


class _Incoming(io.RawIOBase):
    """What arrives on a timed socket, as a file."""

    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)


def _whole(response: HTTPResponse, most_bytes: int) -> bytes:
    """The complete body; a body that is cut off or too long is none."""
    body = bytearray()
    while piece := response.read(min(65536, most_bytes + 1 - len(body))):
        body += piece
        if len(body) > most_bytes:
            raise HTTPException(f"an answer of more than {most_bytes} bytes")
    if response.length:
        raise HTTPException(f"an answer cut off {response.length} bytes before its end")
    return bytes(body)


def _in_words(error: Exception) -> str:
    """A failure for the operator; never the content of an answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted, {error.verify_message}"
    is_own = type(error) is HTTPException
    return str(error) if str(error) and (is_own or isinstance(error, OSError)) else type(error).__name__
