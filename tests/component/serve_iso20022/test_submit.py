"""Opening a transaction and handing in its message."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from postbus.domain.iso20022.client_requests import derived_id
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import Document, Head, StepName
from tests.component.serve_iso20022.conftest import CLIENT, LARGEST_BYTES, Api, Crash, Reply
from tests.fakes.iso20022 import InMemoryDocuments, InMemoryMessages
from tests.fakes.messages import INCOMING, NOON, entry, transaction_id

BODY = b"<Document>\xc3\xa4</Document>"
MIB = 1024 * 1024


# -- opening -----------------------------------------------------------------------------------------------


def test_a_transaction_is_opened_for_its_caller_at_accp(api: Api) -> None:
    reply = api.call("POST", "/v1/transactions")
    assert reply.status == 200
    head = api.store.heads[reply.json["transaction_id"]]
    assert UUID(head.transaction_id).version == 4
    assert (head.owner, head.status, reply.json["status"]) == ("client-acme", Status.ACCP, "ACCP")
    assert (head.deadline - NOON).total_seconds() == pytest.approx(600, abs=2)


def test_an_id_that_is_taken_is_drawn_again_three_times_in_all(api: Api) -> None:
    drawn = [1, 1, 2, 1, 1, 1]
    api.draw = lambda: UUID(int=drawn.pop(0), version=4)
    first, second = api.opened(), api.opened()
    assert {first, second} == {transaction_id(1), transaction_id(2)}
    assert api.call("POST", "/v1/transactions").status == 503
    assert drawn == []


def test_the_same_client_and_key_are_the_same_transaction(api: Api) -> None:
    ids = {
        api.call("POST", "/v1/transactions", idempotency_key="k-1").json["transaction_id"] for _ in range(3)
    }
    assert len(ids) == len(api.store.heads) == 1
    assert UUID(ids.pop()).version == 4


def test_another_client_or_another_key_is_another_transaction(api: Api) -> None:
    for client, key in (("a", "k"), ("b", "k"), ("a", "l"), ("ak", "")):
        named = {"idempotency_key": key} if key else {}
        assert api.call("POST", "/v1/transactions", client=client, **named).status == 200
    assert len(api.store.heads) == 4


def test_an_id_that_another_client_has_is_never_given_out_for_a_key(api: Api) -> None:
    theirs = derived_id("client-acme", "k", 0)
    api.store.open(replace(api.store.heads[api.opened()], transaction_id=theirs, owner="other"), "other")
    ours = api.call("POST", "/v1/transactions", idempotency_key="k").json["transaction_id"]
    assert ours == derived_id("client-acme", "k", 1)


@pytest.mark.parametrize("end", [Status.RJCT, Status.CANC])
def test_what_came_too_late_for_its_id_has_another_under_the_same_key(api: Api, end: Status) -> None:
    late = api.opened("key-of-the-message")
    api.store.append(api.store.heads[late], entry(end))
    another = api.opened("key-of-the-message")
    assert another != late
    assert api.send(another).status == 202
    assert api.opened("key-of-the-message") == another


@pytest.mark.parametrize("meanwhile", ["too-late", "another-message"])
def test_what_is_overtaken_while_it_is_handed_in_is_told_by_what(api: Api, meanwhile: str) -> None:
    one = api.opened()

    class Overtaken(InMemoryDocuments):
        def put(self, key: str, body: bytes, content_type: str = "application/xml") -> Document:
            if meanwhile == "too-late":
                api.store.append(api.store.heads[one], entry(Status.RJCT))
            else:
                api.store.attach(one, CLIENT, INCOMING, NOON)
            return super().put(key, body, content_type)

    api.incoming = Overtaken()
    reply = api.send(one, BODY)
    assert (reply.status, reply.json["type"]) == (409, f"urn:postbus:problem:{meanwhile}")


def test_what_has_ended_with_its_message_keeps_its_key(api: Api) -> None:
    one = api.opened("key-of-the-message")
    api.send(one, BODY)
    api.store.append(api.store.heads[one], entry(Status.RJCT))
    assert api.opened("key-of-the-message") == one
    assert api.send(one, BODY).status == 202


def test_a_key_is_good_however_often_its_message_came_too_late(api: Api) -> None:
    for _ in range(30):
        api.store.append(api.store.heads[api.opened("k")], entry(Status.RJCT))
    assert api.send(api.opened("k")).status == 202


@pytest.mark.parametrize("ended", [0, 1, 2, 3, 7, 62, 63, 64, 98, 99])
def test_the_good_id_of_a_key_is_found_in_few_steps_however_many_have_ended(api: Api, ended: int) -> None:
    for _ in range(ended):
        api.store.append(api.store.heads[api.opened("k")], entry(Status.RJCT))
    api.crash.calls = 0
    assert api.opened("k") == derived_id(CLIENT, "k", ended)
    assert api.opened("k") == derived_id(CLIENT, "k", ended)
    assert api.crash.calls <= 2 * 14


def test_a_key_whose_every_id_has_ended_is_refused_and_rings_no_alarm(api: Api) -> None:
    for _ in range(100):
        api.store.append(api.store.heads[api.opened("k")], entry(Status.RJCT))
    api.crash.calls = 0
    reply = api.call("POST", "/v1/transactions", idempotency_key="k")
    assert (reply.status, reply.json["type"]) == (409, "urn:postbus:problem:key-used-up")
    assert api.crash.calls <= 14
    assert api.call("POST", "/v1/transactions", idempotency_key="l").status == 200


def test_two_calls_with_one_key_at_the_same_time_open_one_transaction(api: Api) -> None:
    class Overtaken(InMemoryMessages):
        def open(self, head: Head, by: str) -> bool:
            super().open(head, by)
            return super().open(head, by)

    api.store = Overtaken()
    assert api.opened("k") == derived_id(CLIENT, "k", 0)


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "schlüssel"])
def test_a_key_that_cannot_be_told_apart_is_refused(api: Api, key: str) -> None:
    reply = api.call("POST", "/v1/transactions", idempotency_key=key)
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert not api.store.heads


# -- handing in --------------------------------------------------------------------------------------------


def test_a_message_is_stored_as_it_came_and_its_workflow_begins(api: Api) -> None:
    one = api.opened()
    assert api.send(one, BODY).status == 202
    document = api.store.heads[one].incoming
    assert document is not None
    assert api.incoming.bodies[document.key] == BODY
    assert document.sha256 == hashlib.sha256(BODY).hexdigest()
    assert api.steps.sent == [(one, StepName.RECEIVE, 1)]


def test_the_same_message_again_sends_the_same_step_until_it_was_taken(api: Api) -> None:
    one = api.opened()
    api.send(one, BODY)
    assert api.send(one, BODY).status == 202
    assert (api.steps.asked, api.steps.sent) == (2, [(one, StepName.RECEIVE, 1)])
    api.store.step_taken(one, StepName.RECEIVE, 1, NOON)
    assert api.send(one, BODY).status == 202
    assert api.steps.asked == 2


def test_the_same_message_after_its_status_has_moved_on_starts_nothing(api: Api) -> None:
    one = api.opened()
    api.send(one, BODY)
    for status in (Status.ACTC, Status.ACSP, Status.ACSC):
        api.store.append(api.store.heads[one], entry(status))
        assert api.send(one, BODY).status == 202
    assert api.steps.asked == 1


def test_another_message_is_a_conflict_and_changes_nothing(api: Api) -> None:
    one = api.opened()
    api.send(one, BODY)
    before = (dict(api.store.heads), dict(api.incoming.bodies))
    reply = api.send(one, b"<Other/>")
    assert (reply.status, reply.json["type"]) == (409, "urn:postbus:problem:another-message")
    assert (api.store.heads, api.incoming.bodies) == before


def test_a_transaction_that_has_ended_takes_no_message(api: Api) -> None:
    one = api.opened()
    api.store.append(api.store.heads[one], entry(Status.RJCT))
    assert api.send(one).status == 409
    assert not api.incoming.bodies


@pytest.mark.parametrize("named", ["", "x", "00000000-0000-0000-0000-000000000000", "../../etc"])
def test_a_header_that_is_no_transaction_id_is_named(api: Api, named: str) -> None:
    reply = api.send(named)
    assert (reply.status, reply.json["errors"][0]["field"]) == (400, "X-Transaction-Id")


def test_another_clients_transaction_is_answered_as_one_that_is_not_there(api: Api) -> None:
    theirs = api.call("POST", "/v1/transactions", client="somebody-else").json["transaction_id"]
    first, second = api.send(theirs), api.send(transaction_id(99))
    assert (first.status, first.body) == (second.status, second.body)
    assert first.status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": ""},
        {"content_type": "application/xml; charset=ISO-8859-1"},
        {"content_encoding": "gzip"},
    ],
)
def test_what_is_not_sent_as_xml_in_utf_8_is_415(api: Api, headers: dict[str, str]) -> None:
    reply = api.send(api.opened(), BODY, **headers)
    assert (reply.status, reply.headers["Accept"]) == (415, "application/xml, text/xml")


@pytest.mark.parametrize("content_type", ["text/xml", 'application/xml; charset="utf-8"', "APPLICATION/XML"])
def test_xml_by_any_of_its_names_is_taken(api: Api, content_type: str) -> None:
    assert api.send(api.opened(), BODY, content_type=content_type).status == 202


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_no_message_at_all_is_400(api: Api, body: bytes) -> None:
    assert api.send(api.opened(), body).status == 400


def test_four_mebibytes_are_taken_and_a_byte_more_is_413(api: Api) -> None:
    assert api.send(api.opened(), b"x" * 4 * MIB).status == 202
    reply = api.send(api.opened(), b"x" * (4 * MIB + 1))
    assert (reply.status, reply.json["title"]) == (413, "Content Too Large")


# -- uploads -----------------------------------------------------------------------------------------------


def announce(api: Api, one: str, body: bytes, **changes: object) -> Reply:
    data = {"length_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **changes}
    return api.send(one, json.dumps(data).encode(), content_type="application/json")


def test_a_large_message_is_announced_uploaded_and_handed_in_by_the_same_request(api: Api) -> None:
    one, body = api.opened(), b"x" * (5 * MIB)
    asked = announce(api, one, body)
    assert asked.status == 200
    upload = asked.json["upload"]
    assert upload["headers"]["Content-Length"] == str(len(body))
    assert base64.b64decode(upload["headers"]["x-amz-checksum-sha256"]) == hashlib.sha256(body).digest()
    assert not api.steps.sent
    key = re.match(r"memory:(.*)\?", upload["url"])
    assert key
    api.incoming.put(key[1], body)
    assert announce(api, one, body).status == 202
    assert announce(api, one, body).status == 202
    assert api.steps.sent == [(one, StepName.RECEIVE, 1)]
    kept = api.store.heads[one].incoming
    assert kept is not None
    # What is only uploaded is deleted after a day, so what is handed in must not lie there.
    assert (api.incoming.bodies[kept.key], kept.key.startswith("uploads/")) == (body, False)


def test_however_much_is_announced_one_upload_is_all_a_transaction_takes(api: Api) -> None:
    one = api.opened()
    urls = [announce(api, one, body).json["upload"]["url"] for body in (b"first", b"second", b"third")]
    places = {url.partition("?")[0] for url in urls}
    assert len(places) == 1
    api.incoming.put(places.pop().removeprefix("memory:"), b"second")
    for other in (b"first", b"third", b"fourth"):
        reply = announce(api, one, other)
        assert (reply.status, reply.json["type"]) == (409, "urn:postbus:problem:another-message")
    assert (len(api.incoming.bodies), api.store.heads[one].incoming) == (1, None)
    assert announce(api, one, b"second").status == 202


def test_two_transactions_have_two_places_to_upload_to(api: Api) -> None:
    urls = {announce(api, api.opened(), BODY).json["upload"]["url"] for _ in range(2)}
    assert len(urls) == 2


def test_a_message_beyond_the_limit_is_413_before_it_is_uploaded(api: Api) -> None:
    reply = announce(api, api.opened(), b"", length_bytes=LARGEST_BYTES + 1)
    assert reply.status == 413


def test_a_message_that_was_announced_beside_another_is_a_conflict(api: Api) -> None:
    one = api.opened()
    api.send(one, BODY)
    assert announce(api, one, b"other").status == 409
    assert announce(api, one, BODY).status == 202


@pytest.mark.parametrize(
    "changes", [{"length_bytes": 0}, {"length_bytes": True}, {"sha256": "AB" * 32}, {"x": 1}]
)
def test_an_announcement_that_is_none_names_its_field(api: Api, changes: dict[str, object]) -> None:
    assert announce(api, api.opened(), b"x", **changes).status == 400


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"[" * 100_000])
def test_an_announcement_that_is_no_object_is_400(api: Api, body: bytes) -> None:
    assert api.send(api.opened(), body, content_type="application/json").status == 400


# -- crashes -----------------------------------------------------------------------------------------------


def handing_in(api: Api) -> Reply:
    one = api.call("POST", "/v1/transactions", idempotency_key="k").json.get("transaction_id", "")
    return api.send(one, BODY) if one else Reply(503, {}, b"")


def uploading(api: Api) -> Reply:
    one = api.call("POST", "/v1/transactions", idempotency_key="k").json.get("transaction_id", "")
    if not one:
        return Reply(503, {}, b"")
    reply = announce(api, one, BODY)
    if reply.status == 200:
        key = re.match(r"memory:(.*)\?", reply.json["upload"]["url"])
        assert key
        api.incoming.put(key[1], BODY)
        reply = announce(api, one, BODY)
    return reply


@pytest.mark.parametrize("client", [handing_in, uploading])
@pytest.mark.parametrize("after", [False, True])
def test_a_client_that_repeats_gets_one_transaction_and_one_step_wherever_it_crashed(
    client: Callable[[Api], Reply], after: bool
) -> None:
    calls = Api()
    assert client(calls).status == 202
    assert calls.crash.calls > 6
    for at in range(calls.crash.calls):
        api = Api(crash=Crash(at, after))
        first = client(api)
        assert first.status == 503
        assert client(api).status == 202
        (head,) = api.store.heads.values()
        assert head.incoming is not None
        assert api.incoming.bodies[head.incoming.key] == BODY
        assert api.steps.sent == [(head.transaction_id, StepName.RECEIVE, 1)]
