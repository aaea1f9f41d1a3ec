"""What makes a broker's message one message, and what is told of a transaction."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.brokered import Delivery, Notice, Outgoing, Publication
from postbus.domain.iso20022.messages import Status

TRANSACTION_ID = "6a2f41a3-c54c-4a6e-8f00-5f1d4e0f1c11"
NAMES = st.sampled_from(["app_id", "correlation_id", "timestamp", "type", "user_id"])
DELIVERIES = st.builds(
    Delivery,
    st.text(min_size=1),
    st.binary(),
    st.none() | st.text(min_size=1, max_size=5),
    st.dictionaries(NAMES, st.text(max_size=5)),
)


@given(DELIVERIES, st.text(min_size=1))
def test_every_delivery_of_a_message_has_its_key(delivery: Delivery, receipt: str) -> None:
    properties = dict(reversed(delivery.properties.items()))
    assert Delivery(receipt, delivery.body, delivery.message_id, properties).key == delivery.key


def _named(one: Delivery) -> tuple[str | None, ...]:
    return one.message_id, one.properties.get("app_id", ""), one.properties.get("user_id", "")


@given(DELIVERIES, DELIVERIES)
def test_messages_that_differ_have_different_keys(one: Delivery, other: Delivery) -> None:
    if one.message_id and other.message_id:
        same = _named(one) == _named(other)
    else:
        same = (bool(one.message_id), one.body, one.properties) == (
            bool(other.message_id),
            other.body,
            other.properties,
        )
    assert (one.key == other.key) == same


def test_a_message_id_decides_whatever_the_body() -> None:
    # The API then sees another body under the same transaction, and says that this is a conflict.
    assert Delivery("1", b"<one/>", "m-1").key == Delivery("1", b"<two/>", "m-1").key


def test_two_senders_may_use_the_same_message_id() -> None:
    assert Delivery("1", b"", "m-1", {"app_id": "a"}).key != Delivery("1", b"", "m-1", {"app_id": "b"}).key


@pytest.mark.parametrize("other", [{}, {"user_id": "somebody-else"}])
def test_a_sender_that_the_broker_knows_shares_its_message_ids_with_nobody(other: dict[str, str]) -> None:
    theirs = Delivery("1", b"<one/>", "m-1", {"app_id": "ledger", "user_id": "ledger"})
    rubbish = Delivery("2", b"rubbish", "m-1", {"app_id": "ledger", **other})
    assert rubbish.key != theirs.key


def test_a_key_is_the_same_for_good() -> None:
    # Another derivation would hand in again whatever a broker delivers again on that day.
    assert Delivery("1", b"<one/>", "m-1").key == "5d23d2c8-1fc8-5664-a81a-5d0d7123bba5"
    assert Delivery("1", b"<one/>", None, {"type": "pacs.008"}).key == "ad4bf780-eca3-5243-9ebb-2167ac343787"


def test_nothing_of_a_body_is_shown() -> None:
    shown = repr([Delivery("1", b"<name/>"), Outgoing(b"<name/>"), Publication("t", b"<name/>")])
    assert "name/" not in shown


@pytest.mark.parametrize("status", list(Status))
def test_a_notice_is_final_when_the_status_is(status: Status) -> None:
    notice = Notice.of({"transaction_id": TRANSACTION_ID.upper(), "status": status.value, "more": 1})
    assert notice.transaction_id == TRANSACTION_ID
    assert notice.is_final == (status.value in ("ACSC", "PART", "RJCT", "CANC"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "transaction_id"),
        ([], "transaction_id"),
        ({"status": "ACSC"}, "transaction_id"),
        ({"transaction_id": 7, "status": "ACSC"}, "transaction_id"),
        ({"transaction_id": "../health", "status": "ACSC"}, "transaction_id"),
        ({"transaction_id": TRANSACTION_ID}, "status"),
        ({"transaction_id": TRANSACTION_ID, "status": "DONE"}, "status"),
        ({"transaction_id": TRANSACTION_ID, "status": ["ACSC"]}, "status"),
    ],
)
def test_anything_else_is_no_notice(body: Any, field: str) -> None:
    with pytest.raises(Malformed) as raised:
        Notice.of(body)
    assert raised.value.field == field


def test_a_publication_is_known_by_its_transaction() -> None:
    notice = Notice(TRANSACTION_ID, Status.PART)
    publication = Publication.answering(notice, Outgoing(b"<answer/>"))
    assert (publication.message_id, publication.body) == (TRANSACTION_ID, b"<answer/>")
    assert publication.headers == {"transaction_id": TRANSACTION_ID, "status": "PART"}
