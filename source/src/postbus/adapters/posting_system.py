"""The external posting system, as docs/posting-system.openapi.yaml has it: what to ask, what an answer means.

An answer is definite only where the contract defines it, in the form it defines.  Anything a proxy, a
gateway or a broken deployment might have said instead is no answer.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from postbus.adapters.http_exchange import Exchange, Reply
from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.domain.money import Money
from postbus.domain.posting import Direction, Entry, imbalance
from postbus.domain.transaction import Kind
from postbus.ports import Clock

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_POSTING_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,191}", re.ASCII)
_LONGEST_PAUSE_SECONDS = 900.0
_PROBLEM = "application/problem+json"


class Credentials(Protocol):
    """What opens the posting system's door."""

    def authorization(self) -> str: ...

    def renew(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Booking:
    """What the posting system is asked to book.

    Attributes:
        key: the idempotency key; the transaction id.
        direction: of the account's own entry.
        reverses: the key of the booking it takes back, wholly or in part.
    """

    key: str
    kind: Kind
    account: str
    direction: Direction
    amount: Money
    billing: Money
    content_hash: str
    counterparty: str | None = None
    reverses: str | None = None

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise Malformed("transaction.transaction_id", "1 to 255 visible ASCII characters")

    def to_data(self) -> dict[str, Any]:
        """``PostingRequest`` of the contract."""
        data: dict[str, Any] = {
            "kind": self.kind.value,
            "account": self.account,
            "direction": self.direction.value,
            "amount": self.amount.to_data(),
            "billing": self.billing.to_data(),
            "content_hash": self.content_hash,
        }
        if self.counterparty is not None:
            data["counterparty"] = self.counterparty
        if self.reverses is not None:
            data["reverses"] = self.reverses
        return data


@dataclass(frozen=True, slots=True)
class Booked:
    """The posting system has it."""

    posting_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The posting system will not book it, now or later."""

    code: str


class PostingSystem:
    """The contract's two operations.  Not for several threads at once."""

    def __init__(
        self, exchange: Exchange, credentials: Credentials, clock: Clock, base_path: str = ""
    ) -> None:
        self._exchange = exchange
        self._credentials = credentials
        self._clock = clock
        self._postings = base_path.rstrip("/") + "/postings"
        self._paused_until = 0.0

    @classmethod
    def at(cls, url: str, credentials: Credentials, clock: Clock) -> "PostingSystem":
        """The one whose base URL is ``https://host[:port][/path]``; raises ValueError for another form."""
        parts = urlsplit(url)
        return cls(Exchange(f"{parts.scheme}://{parts.netloc}"), credentials, clock, parts.path)

    def connect(self) -> None:
        """Make sure that a call can be made now.

        Raises:
            Unavailable: it cannot; nothing was sent.
        """
        left = self._paused_until - self._clock().timestamp()
        if left > 0:
            raise Unavailable(f"the posting system asked for a pause, of which {left:.0f} s are left")
        self._credentials.authorization()
        self._exchange.connect()

    def book(self, booking: Booking) -> Booked | Refused:
        """Ask to book it, under its key.

        Raises:
            Unavailable: this call did not book it.
            OutcomeUnknown: it may have: ask.
            InvariantBroken: the answer contradicts what was asked, or the key stands for something else.
        """
        reply = self._call(
            "POST",
            self._postings,
            {"Content-Type": "application/json", "Idempotency-Key": booking.key},
            json.dumps(booking.to_data(), separators=(",", ":")).encode(),
        )
        if reply.status in (200, 201):
            booked = _booked(reply, booking)
            if booked is None:
                raise OutcomeUnknown(f"POST {booking.key}: {reply.status} without a posting in it")
            return booked
        problem = _problem(reply)
        if problem is not None and reply.status == 422:
            return problem
        if problem is not None and reply.status in (400, 409):
            raise InvariantBroken(
                f"the posting system answered {reply.status} {problem.code} to {booking.key}"
            )
        if reply.status in (409, 422) or reply.status >= 500:
            raise OutcomeUnknown(f"POST {booking.key}: {reply.status}")
        raise Unavailable(f"the posting system answered {reply.status}")

    def find(self, booking: Booking) -> Booked | None:
        """Ask whether it is booked.

        Returns:
            ``None`` if it is not, so that asking to book it is right.
        Raises:
            Unavailable: no usable answer.
            InvariantBroken: what is booked under the key is something else.
        """
        try:
            reply = self._call("GET", f"{self._postings}/{quote(booking.key, safe='')}", {})
        except OutcomeUnknown as error:  # a question has no effect
            raise Unavailable(str(error)) from error
        if reply.status == 404:
            return None
        booked = _booked(reply, booking) if reply.status == 200 else None
        if booked is None:
            raise Unavailable(f"the posting system does not say whether it has {booking.key}: {reply.status}")
        return booked

    def _call(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        self.connect()
        reply = self._send(method, target, headers, body)
        if reply.status == 401:
            self._credentials.renew()
            reply = self._send(method, target, headers, body)
        if reply.status in (429, 503) and "retry-after" in reply.headers:
            pause = _seconds(reply.headers["retry-after"], self._clock)
            self._paused_until = self._clock().timestamp() + pause
            raise Unavailable(f"the posting system answered {reply.status} and asked for {pause:.0f} s")
        return reply

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        own = {
            "Accept": f"application/json, {_PROBLEM}",
            "Authorization": self._credentials.authorization(),
            "User-Agent": "postbus",
        }
        return self._exchange.request(method, target, {**own, **headers}, body)


def _booked(reply: Reply, asked: Booking) -> Booked | None:
    """Read a ``Posting``; ``None`` for anything that is not one.

    Raises:
        InvariantBroken: it is one, of something else than was asked, or it does not balance.
    """
    if reply.media_type != "application/json":
        return None
    try:
        posting = json.loads(reply.body)
        key, posting_id = posting["idempotency_key"], posting["posting_id"]
        entries = tuple(_entry(entry) for entry in posting["entries"])
        if not _POSTING_ID.fullmatch(posting_id) or not entries:
            return None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError, Malformed):
        return None
    wanted = {"counterparty": None, "reverses": None, **asked.to_data()}
    differing = [name for name, value in wanted.items() if posting.get(name) != value]
    if key != asked.key:
        differing.insert(0, "idempotency_key")
    if differing:
        raise InvariantBroken(f"the posting system has {asked.key} with another {', '.join(differing)}")
    if imbalance(entries):
        raise InvariantBroken(f"the posting system's entries of {asked.key} do not balance")
    own = imbalance(entry for entry in entries if entry.account_id == asked.account)
    if own != imbalance([Entry(asked.account, asked.direction, asked.billing)]):
        raise InvariantBroken(f"the posting system's entries of {asked.key} do not move the billing amount")
    return Booked(posting_id, entries)


def _entry(data: Any) -> Entry:
    """Read one ``Entry`` of the contract, and nothing besides."""
    if not _ACCOUNT_ID.fullmatch(data["account"]):
        raise Malformed("entry.account", "an account id")
    money = Money.from_data(data, "entry")
    if not money.minor:
        raise Malformed("entry.amount", "more than zero")
    return Entry(data["account"], Direction(data["direction"]), money)


def _problem(reply: Reply) -> Refused | None:
    """Read a problem document (RFC 9457) with the contract's ``code``; ``None`` for anything else."""
    if reply.media_type != _PROBLEM:
        return None
    try:
        document = json.loads(reply.body)
        return Refused(document["code"]) if _CODE.fullmatch(document["code"]) else None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def _seconds(retry_after: str, clock: Clock) -> float:
    """``Retry-After`` (RFC 9110) in seconds from now, at most a quarter of an hour."""
    try:
        if retry_after.strip().isdecimal():
            wanted = float(retry_after)
        else:
            wanted = (parsedate_to_datetime(retry_after) - clock()).total_seconds()
    except (ValueError, TypeError, OverflowError):  # neither number nor date, or a date without a zone
        wanted = 0.0
    return min(max(wanted, 0.0), _LONGEST_PAUSE_SECONDS)
