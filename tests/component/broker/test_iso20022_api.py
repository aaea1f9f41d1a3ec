"""The API over HTTP: which answers take a message, which refuse it, and which say nothing about it."""

import hashlib
import traceback
from collections.abc import Callable, Iterator

import pytest

from postbus.adapters.bearer_credentials import BearerCredentials
from postbus.adapters.http_exchange import Deadlines, Exchange
from postbus.adapters.iso20022_api import HttpMessageApi
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.domain.iso20022.brokered import Accepted, NotOurs, Outgoing, Refused, StillOpen
from tests.component.broker.conftest import Fields
from tests.servers.message_api import DROP_AFTER, DROP_BEFORE, PROXY_REFUSAL, TOO_LATE, MessageApiServer, Way

KEY = "0a7fcb80-5b37-5f86-9d3c-2b8b9a6f3a51"


def client(api: MessageApiServer) -> HttpMessageApi:
    return HttpMessageApi.at(api.url, BearerCredentials(Fields(api.credentials)))


def test_a_message_is_handed_in_once_however_often_it_is_asked(api: MessageApiServer) -> None:
    ours = client(api)
    first, again = ours.submit(KEY, b"<one/>"), ours.submit(KEY, b"<one/>")
    assert isinstance(first, Accepted)
    assert first == again == client(api).submit(KEY, b"<one/>")
    assert api.incoming == {first.transaction_id: b"<one/>"}


def test_one_token_serves_many_requests(api: MessageApiServer) -> None:
    ours = client(api)
    for _ in range(3):
        ours.submit(KEY, b"<one/>")
    assert api.tokens == 1


def test_a_token_that_is_no_longer_taken_is_renewed_once(api: MessageApiServer) -> None:
    ours = client(api)
    ours.submit(KEY, b"<one/>")
    api.ways["POST /v1/incoming"].append(401)
    assert isinstance(ours.submit(KEY, b"<one/>"), Accepted)
    assert api.tokens == 2
    api.ways["POST /v1/incoming"].extend([401, 401])
    with pytest.raises(Unavailable, match="401 to a fresh token"):
        ours.submit(KEY, b"<one/>")


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_refusal_in_the_apis_own_form_is_a_refusal(api: MessageApiServer, status: int) -> None:
    api.ways["POST /v1/incoming"].append(status)
    outcome = client(api).submit(KEY, b"<one/>")
    assert outcome == Refused(api.opened[KEY], f"{status}: told to")


def test_what_came_too_late_for_its_transaction_is_not_refused_and_comes_again(
    api: MessageApiServer,
) -> None:
    ours = client(api)
    api.ways["POST /v1/incoming"].append(TOO_LATE)
    with pytest.raises(Unavailable, match="opens another one"):
        ours.submit(KEY, b"<one/>")
    assert isinstance(ours.submit(KEY, b"<one/>"), Accepted)


def test_another_body_under_the_same_key_is_refused(api: MessageApiServer) -> None:
    ours = client(api)
    ours.submit(KEY, b"<one/>")
    outcome = ours.submit(KEY, b"<two/>")
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("409")


@pytest.mark.parametrize("way", [403, 404, 408, 425, 429, 500, 502, 503, 504, 200, 302, PROXY_REFUSAL])
def test_an_answer_about_anything_but_the_message_decides_nothing(api: MessageApiServer, way: Way) -> None:
    api.ways["POST /v1/incoming"].append(way)
    with pytest.raises(Unavailable):
        client(api).submit(KEY, b"<one/>")


@pytest.mark.parametrize("route", ["POST /v1/transactions", "POST /v1/incoming"])
@pytest.mark.parametrize("way", [DROP_BEFORE, DROP_AFTER])
def test_no_answer_is_asked_again_and_changes_nothing(api: MessageApiServer, route: str, way: Way) -> None:
    api.ways[route].append(way)
    ours = client(api)
    with pytest.raises(OutcomeUnknown):
        ours.submit(KEY, b"<one/>")
    assert isinstance(ours.submit(KEY, b"<one/>"), Accepted)
    assert list(api.incoming.values()) == [b"<one/>"]


def test_an_api_that_cannot_take_messages_says_so(api: MessageApiServer) -> None:
    client(api).check()
    api.is_healthy = False
    with pytest.raises(Unavailable, match="503"):
        client(api).check()


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda api: api.outgoing.update({KEY: b"<answer/>"}), Outgoing(b"<answer/>")),
        (lambda api: api.outgoing.update({KEY: b"x" * 3_000_000}), Outgoing(b"x" * 3_000_000)),
        (lambda api: api.outgoing.update({KEY: None}), StillOpen()),
        (lambda api: None, NotOurs()),
    ],
    ids=["there", "large", "open", "another's"],
)
def test_an_outgoing_message_is_fetched(
    api: MessageApiServer, prepare: Callable[[MessageApiServer], None], expected: object
) -> None:
    prepare(api)
    assert client(api).outgoing(KEY) == expected


# -- with a key of its own ---------------------------------------------------------------------------------


def test_the_api_key_of_the_secret_goes_with_every_call(api: MessageApiServer) -> None:
    api.api_key = "only-for-tests-0123456789"
    api.outgoing[KEY] = b"<answer/>"
    ours = client(api)
    ours.check()
    assert isinstance(ours.submit(KEY, b"<one/>"), Accepted)
    assert ours.outgoing(KEY) == Outgoing(b"<answer/>")


def test_a_secret_without_the_key_that_is_asked_for_decides_nothing(api: MessageApiServer) -> None:
    ours = client(api)
    api.api_key = "only-for-tests-0123456789"
    with pytest.raises(Unavailable, match="403"):
        ours.check()


@pytest.mark.parametrize("key", ["", "two words", "line\r\nX-Other: 1", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_not_sent_and_not_quoted(api: MessageApiServer, key: str) -> None:
    ours = HttpMessageApi.at(api.url, BearerCredentials(Fields({"token": "t", "api_key": key})))
    with pytest.raises(Unavailable, match="api_key") as raised:
        ours.check()
    assert not key or key not in str(raised.value)


# -- what lies elsewhere -----------------------------------------------------------------------------------

LARGE = b"<answer>" + b"x" * 9_000_000 + b"</answer>"


@pytest.fixture
def elsewhere() -> Iterator[MessageApiServer]:
    """Another host, as far as anyone can tell: another port."""
    with MessageApiServer() as server:
        yield server


def laid(api: MessageApiServer, elsewhere: MessageApiServer, body: bytes) -> str:
    """An address that opens a document; the API tells it with the hash of the large one."""
    address = f"{elsewhere.url.removesuffix('/stage')}/documents/{KEY}?signature=secret-{KEY}"
    elsewhere.lying[f"/documents/{KEY}?signature=secret-{KEY}"] = body
    api.elsewhere[KEY] = (address, f'"{hashlib.sha256(LARGE).hexdigest()}"')
    return address


def test_a_large_document_is_fetched_where_it_lies_without_our_credentials(
    api: MessageApiServer, elsewhere: MessageApiServer
) -> None:
    api.api_key = "only-for-tests-0123456789"
    laid(api, elsewhere, LARGE)
    assert client(api).outgoing(KEY) == Outgoing(LARGE)


def test_another_document_than_the_api_told_of_is_none(
    api: MessageApiServer, elsewhere: MessageApiServer
) -> None:
    laid(api, elsewhere, b"<html>please sign in</html>")
    with pytest.raises(Unavailable, match="another one"):
        client(api).outgoing(KEY)


@pytest.mark.parametrize("way", [403, 404, 503, 303, DROP_BEFORE])
def test_a_document_that_cannot_be_fetched_now_is_not_missing_and_its_address_is_not_told(
    api: MessageApiServer, elsewhere: MessageApiServer, way: Way
) -> None:
    laid(api, elsewhere, LARGE)
    elsewhere.ways[f"GET /documents/{KEY}?signature=secret-{KEY}"].append(way)
    with pytest.raises(Unavailable) as raised:
        client(api).outgoing(KEY)
    assert "signature" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "location",
    ["", "/documents/1", "ftp://127.0.0.1/1", "http://elsewhere.example/1", "http://[", "https://a@b/1"],
)
def test_a_place_that_is_none_is_not_asked(api: MessageApiServer, location: str) -> None:
    api.elsewhere[KEY] = (location, f'"{hashlib.sha256(LARGE).hexdigest()}"')
    with pytest.raises(Unavailable, match="without a place"):
        client(api).outgoing(KEY)


def test_a_303_that_tells_no_hash_is_some_proxys(api: MessageApiServer, elsewhere: MessageApiServer) -> None:
    location = laid(api, elsewhere, LARGE)
    api.elsewhere[KEY] = (location, "")
    with pytest.raises(Unavailable, match="without a hash"):
        client(api).outgoing(KEY)


@pytest.mark.parametrize("way", [403, 429, 503, PROXY_REFUSAL])
def test_an_outgoing_message_that_cannot_be_fetched_now_is_not_missing(
    api: MessageApiServer, way: Way
) -> None:
    api.ways["GET /v1/outgoing"].append(way)
    with pytest.raises(Unavailable):
        client(api).outgoing(KEY)


def test_an_api_that_is_not_there_is_unavailable() -> None:
    exchange = Exchange("http://127.0.0.1:9", Deadlines(0.5, 1))
    with pytest.raises(Unavailable):
        HttpMessageApi(exchange, BearerCredentials(Fields({"token": "t"}))).check()
