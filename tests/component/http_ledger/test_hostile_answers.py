"""What a posting system may say to break its reader is no answer, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from postbus.adapters.http_exchange import Exchange, Reply
from postbus.adapters.posting_system import Booking, PostingSystem
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.domain.money import Money
from postbus.domain.posting import Direction
from postbus.domain.transaction import Kind

BOOKING = Booking(
    "visa-1", Kind.PURCHASE, "alice", Direction.DEBIT, Money(1, "EUR"), Money(1, "EUR"), content_hash="c"
)


class Open:
    def authorization(self) -> str:
        return "Bearer t"

    def renew(self) -> None: ...


class Saying(Exchange):
    """An exchange whose every answer is this one."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def connect(self) -> None: ...

    def request(self, *_: Any) -> Reply:
        return self._reply


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("media_type", ["application/json", "application/problem+json"])
def test_json_nested_beyond_reading_is_no_answer(status: int, media_type: str) -> None:
    reply = Reply(status, {"content-type": media_type}, b"[" * 200_000)
    system = PostingSystem(Saying(reply), Open(), lambda: datetime.now(UTC))
    with pytest.raises(OutcomeUnknown):
        system.book(BOOKING)
    with pytest.raises(Unavailable):
        system.find(BOOKING)


def test_a_pause_until_a_day_that_no_calendar_has_is_none() -> None:
    reply = Reply(503, {"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, b"")
    system = PostingSystem(Saying(reply), Open(), lambda: datetime.now(UTC))
    with pytest.raises(Unavailable):
        system.book(BOOKING)
