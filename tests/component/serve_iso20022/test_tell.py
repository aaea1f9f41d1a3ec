"""What a client is told of its transaction, and what it is not."""

import pytest

from postbus.domain.iso20022.messages import MessageType, Reason, Status
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    CREDIT_NOTIFICATION,
    OUTGOING,
    Document,
    StepName,
)
from postbus.functions.serve_iso20022.tell import MOST_IN_AN_ANSWER_BYTES
from tests.component.serve_iso20022.conftest import Api, Reply
from tests.fakes.messages import NOON, entry, transaction_id

ANSWER = b"<Document>\xe2\x82\xac</Document>"


def told(api: Api, one: str, **query: str) -> Reply:
    return api.call("GET", f"/v1/transactions/{one}", query=query)


def fetched(api: Api, one: str, **query: str) -> Reply:
    return api.call("GET", "/v1/outgoing", x_transaction_id=one, query=query)


def moved(api: Api, one: str, *statuses: Status, **details: object) -> None:
    for status in statuses:
        api.store.append(api.store.heads[one], entry(status, **details))


def answered(api: Api, one: str, name: str = OUTGOING) -> Document:
    document = api.outgoing.put(f"{one}/{name}.xml", ANSWER)
    api.store.put_document(one, name, document)
    return document


def test_the_history_has_every_status_with_its_reasons(api: Api) -> None:
    one = api.opened()
    api.send(one)
    moved(api, one, Status.ACTC)
    moved(api, one, Status.RJCT, reasons=(Reason("AM04", ("Too little.",)),))
    reply = told(api, one)
    assert [found["status"] for found in reply.json["history"]] == ["ACCP", "ACTC", "RJCT"]
    assert reply.json["reasons"] == [{"code": "AM04", "additional": ["Too little."]}]
    assert reply.json["final"] is True
    assert "deadline" not in reply.json


def test_a_message_is_told_by_its_type_and_hash_once_it_was_read(api: Api) -> None:
    one = api.opened()
    assert "message" not in told(api, one).json
    api.send(one)
    assert "type" not in told(api, one).json["message"]
    api.store.describe(one, MessageType.of("pacs.008.001.08"), "MSG-1")
    found = told(api, one).json["message"]
    assert (found["type"], found["message_id"]) == ("pacs.008.001.08", "MSG-1")


def test_a_hold_for_a_regulatory_reason_is_told_to_nobody(api: Api) -> None:
    one = api.opened()
    api.send(one)
    moved(api, one, Status.ACTC)
    moved(api, one, Status.PDNG, reasons=(Reason("RR04", ("a name on the list",)), Reason("DU04")))
    reply = told(api, one)
    assert reply.json["reasons"] == []
    assert b"RR04" not in reply.body
    moved(api, one, Status.RJCT, reasons=(Reason("RR04", ("a name on the list",)),))
    reply = told(api, one)
    assert reply.json["reasons"] == [{"code": "RR04", "additional": []}]
    assert b"list" not in reply.body


def test_nobody_is_told_who_decided_or_how_a_step_went(api: Api) -> None:
    one = api.opened()
    api.send(one)
    api.store.step_parked(one, StepName.RECEIVE, 1, "secret reason")
    moved(api, one, Status.ACTC, by="arn:aws:iam::1:user/jane")
    body = told(api, one).body
    assert b"jane" not in body
    assert b"secret" not in body


@pytest.mark.parametrize("asked", ["local", "all-regions"])
def test_either_consistency_is_answered_by_one_strong_read_of_the_only_region(api: Api, asked: str) -> None:
    found = told(api, api.opened(), consistency=asked).json["consistency"]
    assert found == {"asked": asked, "regions": ["eu-central-1"], "strong": True}


def test_another_consistency_is_400(api: Api) -> None:
    assert told(api, api.opened(), consistency="eventual").status == 400


@pytest.mark.parametrize("one", ["x", "%00", transaction_id(7)])
def test_what_is_not_there_is_404_whatever_it_looks_like(api: Api, one: str) -> None:
    assert told(api, one).status == 404


def test_another_client_sees_nothing(api: Api) -> None:
    one = api.opened()
    answered(api, one)
    for method, path in (
        ("GET", f"/v1/transactions/{one}"),
        ("POST", f"/v1/transactions/{one}/cancellation"),
        ("POST", f"/v1/transactions/{one}/acceptance"),
        ("POST", f"/v1/transactions/{one}/rejection"),
        ("POST", f"/v1/transactions/{one}/redrive"),
        ("GET", "/v1/outgoing"),
    ):
        assert api.call(method, path, client="other", x_transaction_id=one).status == 404
    assert not api.store.decided


def test_the_answer_is_fetched_as_often_as_wanted(api: Api) -> None:
    one = api.opened()
    document = answered(api, one)
    for _ in range(2):
        reply = fetched(api, one)
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, "application/xml", ANSWER)
        assert reply.headers["ETag"] == f'"{document.sha256}"'


def test_an_answer_that_is_not_there_yet_is_202_with_when_to_ask_again(api: Api) -> None:
    reply = fetched(api, api.opened())
    assert (reply.status, reply.headers["Retry-After"], reply.json["status"]) == (202, "1", "ACCP")


def test_an_end_without_a_message_has_no_answer(api: Api) -> None:
    one = api.opened()
    moved(api, one, Status.RJCT)
    assert fetched(api, one).status == 404


def test_an_answer_too_large_for_the_gateway_is_fetched_where_it_lies(api: Api) -> None:
    one = api.opened()
    api.store.put_document(one, OUTGOING, Document("k", "a" * 64, MOST_IN_AN_ANSWER_BYTES + 1))
    reply = fetched(api, one)
    assert (reply.status, reply.headers["Location"]) == (303, "memory:k?seconds=300")


def test_the_answer_to_a_cancellation_is_awaited_for_as_long_as_one_is_under_way(api: Api) -> None:
    one = api.opened()
    api.send(one)
    assert fetched(api, one, document=CANCELLATION_ANSWER).status == 404
    api.call("POST", f"/v1/transactions/{one}/cancellation")
    assert fetched(api, one, document=CANCELLATION_ANSWER).status == 202
    answered(api, one, CANCELLATION_ANSWER)
    assert fetched(api, one, document=CANCELLATION_ANSWER).body == ANSWER
    assert told(api, one).json["documents"] == [CANCELLATION_ANSWER]


def test_a_credit_notification_is_a_document_like_another(api: Api) -> None:
    one = api.opened()
    answered(api, one, CREDIT_NOTIFICATION)
    assert fetched(api, one, document=CREDIT_NOTIFICATION).body == ANSWER
    assert fetched(api, one, document="x").status == 400


def test_deep_health_names_what_is_down_and_nothing_else(api: Api) -> None:
    assert api.call("GET", "/v1/health/deep").json["dependencies"] == [
        "incoming messages", "outgoing messages", "transactions",
    ]  # fmt: skip
    api.incoming.away = True
    reply = api.call("GET", "/v1/health/deep")
    assert (reply.status, reply.json["detail"]) == (503, "No answer from: incoming messages.")


def test_health_is_open_to_all(api: Api) -> None:
    assert api.call("GET", "/v1/health", client=None).json == {"status": "up"}
    assert api.call("GET", "/v1/health/deep", client=None).status == 401


def test_a_store_that_does_not_answer_is_503_and_to_be_asked_again(api: Api) -> None:
    one = api.opened()
    api.store.away = True
    reply = told(api, one)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
    assert NOON.isoformat() not in reply.body.decode()
