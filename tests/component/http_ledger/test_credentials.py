"""The posting system's credentials: read rarely, renewed once they stop working, never quoted."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.bearer_credentials import BearerCredentials
from postbus.adapters.http_exchange import Exchange, Reply
from postbus.adapters.http_ledger import HttpLedger
from postbus.adapters.posting_system import PostingSystem
from postbus.adapters.secrets import Secret
from postbus.domain.errors import Unavailable
from postbus.ports import NotNow, Settled
from tests.component.http_ledger.bench import DEADLINES, Clock, Outcomes, purchase
from tests.servers.misbehaving_ledger import MisbehavingLedger

pytestmark = pytest.mark.component


class Ticks:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-central-1")


def store(manager: Any, **fields: str) -> None:
    try:
        manager.create_secret(Name="posting-system", SecretString=json.dumps(fields))
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId="posting-system", SecretString=json.dumps(fields))


def ledger_of(system: MisbehavingLedger, credentials: BearerCredentials) -> HttpLedger:
    return HttpLedger(Outcomes(), PostingSystem(Exchange(system.url, DEADLINES), credentials, Clock()))


def test_a_secret_is_read_once_in_five_minutes(manager: Any) -> None:
    ticks = Ticks()
    secret = Secret(manager, "posting-system", monotonic=ticks)
    store(manager, token="one")
    assert secret.read() == {"token": "one"}
    store(manager, token="two")
    ticks.now += 299
    assert secret.read() == {"token": "one"}
    ticks.now += 2
    assert secret.read() == {"token": "two"}


def test_a_rotated_token_is_picked_up_at_the_first_401_without_losing_the_payment(manager: Any) -> None:
    store(manager, token="one")
    credentials = BearerCredentials(Secret(manager, "posting-system"))
    with MisbehavingLedger(tokens=["one"]) as system:
        ledger = ledger_of(system, credentials)
        assert isinstance(ledger.post([purchase("1")])[0], Settled)
        system.tokens = {"two"}
        store(manager, token="two")
        assert isinstance(ledger.post([purchase("2")])[0], Settled)
        assert system.books.times_booked == {"visa-1": 1, "visa-2": 1}


def test_client_credentials_are_exchanged_for_a_token_that_is_used_until_it_nears_its_end(
    manager: Any,
) -> None:
    ticks = Ticks()
    with MisbehavingLedger(tokens=["-"], client=("postbus", "s3cret")) as system:
        store(manager, client_id="postbus", client_secret="s3cret", token_url=f"{system.url}/oauth/token")
        credentials = BearerCredentials(Secret(manager, "posting-system"), DEADLINES, monotonic=ticks)
        first = credentials.authorization()
        ticks.now += 269
        assert credentials.authorization() == first
        ticks.now += 2
        assert credentials.authorization() != first
        assert isinstance(ledger_of(system, credentials).post([purchase()])[0], Settled)


def test_a_withdrawn_grant_is_replaced_at_the_first_401(manager: Any) -> None:
    with MisbehavingLedger(tokens=["-"], client=("postbus", "s3cret")) as system:
        store(manager, client_id="postbus", client_secret="s3cret", token_url=f"{system.url}/oauth/token")
        ledger = ledger_of(system, BearerCredentials(Secret(manager, "posting-system"), DEADLINES))
        ledger.post([purchase("1")])
        system.tokens = {"-"}
        assert isinstance(ledger.post([purchase("2")])[0], Settled)


@pytest.mark.parametrize(
    "text",
    [
        "not json s3cret",
        '["s3cret"]',
        '{"token": 7}',
        "{}",
        '{"token": "s3cret\\nEvil: 1"}',
        '{"client_id": "a", "client_secret": "s3cret"}',
        '{"client_id": "a", "client_secret": "s3cret", "token_url": "http://elsewhere.example/token"}',
        '{"client_id": "a", "client_secret": "b", "token_url": "https://me:s3cret@elsewhere.example/token"}',
        '{"client_id": "a", "client_secret": "b", "token_url": "https://elsewhere.example:s3cret/token"}',
        '{"client_id": "a", "client_secret": "b", "token_url": "https://[s3cret/token"}',
    ],
)
def test_a_secret_that_is_of_no_use_keeps_the_payments_waiting_and_is_not_quoted(
    manager: Any, text: str
) -> None:
    manager.create_secret(Name="posting-system", SecretString=text)
    with MisbehavingLedger() as system:
        answer = ledger_of(system, BearerCredentials(Secret(manager, "posting-system"))).post([purchase()])[0]
        assert isinstance(answer, NotNow)
        assert "s3cret" not in answer.reason
        assert system.requests == []


def test_an_absent_secret_keeps_the_payments_waiting(manager: Any) -> None:
    with pytest.raises(Unavailable, match="ResourceNotFoundException"):
        Secret(manager, "posting-system").read()


def test_a_client_that_is_not_known_keeps_the_payments_waiting(manager: Any) -> None:
    with MisbehavingLedger(client=("postbus", "another")) as system:
        store(manager, client_id="postbus", client_secret="s3cret", token_url=f"{system.url}/oauth/token")
        with pytest.raises(Unavailable, match="401"):
            BearerCredentials(Secret(manager, "posting-system"), DEADLINES).authorization()


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"access_token": "t", "expires_in": 1e999}', b'{"access_token": [], "expires_in": 1}'],
)
def test_an_answer_that_no_token_can_be_read_from_is_none(
    manager: Any, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(manager, client_id="a", client_secret="b", token_url="http://127.0.0.1:1/token")
    monkeypatch.setattr(Exchange, "request", lambda *_: Reply(200, {}, body))
    with pytest.raises(Unavailable):
        BearerCredentials(Secret(manager, "posting-system")).authorization()


def test_a_token_said_to_last_for_ever_is_renewed_within_a_day(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Ticks()
    store(manager, client_id="a", client_secret="b", token_url="http://127.0.0.1:1/token")
    tokens = iter(["one", "two"])

    def granted(*_: Any) -> Reply:
        return Reply(
            200, {}, b'{"access_token": "%s", "expires_in": 1%s}' % (next(tokens).encode(), b"0" * 400)
        )

    monkeypatch.setattr(Exchange, "request", granted)
    credentials = BearerCredentials(Secret(manager, "posting-system"), monotonic=ticks)
    assert credentials.authorization() == "Bearer one"
    ticks.now += 86_400
    assert credentials.authorization() == "Bearer two"
