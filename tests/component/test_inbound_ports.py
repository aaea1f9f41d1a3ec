"""The inbound ports: one suite for each port, run by its adapter on moto and by its fake alike."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from postbus.adapters.dynamodb_claims import DynamoDbClaims
from postbus.adapters.dynamodb_directory import DynamoDbDirectory
from postbus.adapters.dynamodb_items import plain, typed
from postbus.adapters.dynamodb_records import DynamoDbRecords
from postbus.adapters.dynamodb_velocity import DynamoDbVelocity
from postbus.adapters.sqs_parking import SqsParking
from postbus.domain.duplicates import Claim
from postbus.domain.errors import Malformed, Unavailable
from postbus.ports import ClaimStore, Directory, VelocityCounter
from tests.fakes.inbound import InMemoryClaims, InMemoryDirectory, InMemoryVelocity

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def table(name: str, key: str) -> Any:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


class Failing:
    """A client whose every call fails as told."""

    def __init__(self, code: str, status: int = 400) -> None:
        self._response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> None:
            raise ClientError(self._response, operation)  # type: ignore[arg-type]

        return call


# -- claims ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def claims(request: pytest.FixtureRequest) -> ClaimStore:
    if request.param == "fake":
        return InMemoryClaims()
    request.getfixturevalue("aws")
    return DynamoDbClaims(table("claims", "claim_key"), "claims", lambda: NOON)


def claim(
    transaction_id: str, at: datetime = NOON, key: str = "fingerprint#visa#1", content: str = "c1"
) -> Claim:
    return Claim(key, transaction_id, content, at, at + DAY)


def test_a_free_key_is_taken(claims: ClaimStore) -> None:
    wanted = claim("visa-1")
    assert claims.claim([wanted])[0] is wanted


def test_a_taken_key_stays_with_whoever_was_first(claims: ClaimStore) -> None:
    first = claim("visa-1", NOON + timedelta(milliseconds=125))
    claims.claim([first])
    assert claims.claim([claim("visa-2")]) == [first]
    assert claims.claim([claim("visa-2")]) == [first]


def test_our_own_claim_is_found_again_with_its_first_content(claims: ClaimStore) -> None:
    first = claim("visa-1", content="c1")
    claims.claim([first])
    (standing,) = claims.claim([claim("visa-1", NOON + DAY / 2, content="c2")])
    assert standing == first


def test_a_claim_lapses_at_its_expiry_by_the_time_of_the_event_that_wants_the_key(claims: ClaimStore) -> None:
    first = claim("visa-1")
    claims.claim([first])
    just_before = claim("visa-2", NOON + DAY - timedelta(milliseconds=1))
    assert claims.claim([just_before]) == [first]
    just_then = claim("visa-3", NOON + DAY)
    assert claims.claim([just_then])[0] is just_then
    assert claims.claim([claim("visa-1")]) == [just_then]


def test_claims_on_one_key_are_made_in_order_and_others_beside_them(claims: ClaimStore) -> None:
    wanted = [claim(f"visa-{n}", key=f"fingerprint#visa#{n % 3}") for n in range(12)]
    standing = claims.claim(wanted)
    assert [one.transaction_id for one in standing] == [f"visa-{n % 3}" for n in range(12)]


def test_a_key_is_taken_from_whom_it_is_to_be_taken_from_and_from_nobody_else(claims: ClaimStore) -> None:
    first, third = claim("visa-1"), replace(claim("visa-3"), instead_of="visa-1")
    claims.claim([first])
    assert claims.claim([replace(claim("visa-2"), instead_of="visa-0")]) == [first]
    assert claims.claim([third])[0] is third
    # Of two who want it from the same only one has it.
    (standing,) = claims.claim([replace(claim("visa-2"), instead_of="visa-1")])
    assert standing.transaction_id == "visa-3"


def test_no_claims_are_no_call(claims: ClaimStore) -> None:
    assert list(claims.claim([])) == []


class Counting:
    """A DynamoDB client that counts what is put."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.puts = 0

    def put_item(self, **item: Any) -> Any:
        self.puts += 1
        return self._client.put_item(**item)


@pytest.mark.usefixtures("aws")
def test_a_claim_that_is_repeated_is_made_once_and_told_each_time() -> None:
    client = Counting(table("claims", "claim_key"))
    store = DynamoDbClaims(client, "claims", lambda: NOON)  # type: ignore[arg-type]
    ours, late = claim("visa-1"), claim("visa-2", NOON + 2 * DAY)
    assert list(store.claim([ours] * 1_000 + [late, late, ours])) == [ours] * 1_000 + [late] * 3
    assert client.puts == 3


@pytest.mark.usefixtures("aws")
def test_the_table_may_forget_a_claim_only_a_week_after_it_lapsed_and_after_now() -> None:
    client = table("claims", "claim_key")
    store = DynamoDbClaims(client, "claims", lambda: NOON)
    store.claim([claim("visa-1", key="new"), claim("visa-2", NOON - 30 * DAY, key="old")])
    expiries = {
        item["claim_key"]["S"]: datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC)
        for item in client.scan(TableName="claims")["Items"]
    }
    assert expiries == {"new": NOON + 8 * DAY, "old": NOON + 7 * DAY}


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
def test_a_store_that_does_not_answer_has_not_said_duplicate(code: str) -> None:
    with pytest.raises(Unavailable):
        DynamoDbClaims(Failing(code), "claims", lambda: NOON).claim([claim("visa-1")])  # type: ignore[arg-type]


def test_an_answer_nobody_foresaw_is_not_taken_for_a_verdict() -> None:
    with pytest.raises(ClientError):
        DynamoDbClaims(Failing("AccessDeniedException"), "claims", lambda: NOON).claim(  # type: ignore[arg-type]
            [claim("visa-1")]
        )


# -- directory ---------------------------------------------------------------------------------------------

RECORDS = {
    f"tok_{n}": {"token": f"tok_{n}", "status": "open", "holds": ["A", "B"], "limit": str(n)}
    for n in range(130)
}


@pytest.fixture(params=["fake", "dynamodb"])
def directory(request: pytest.FixtureRequest) -> Directory:
    if request.param == "fake":
        return InMemoryDirectory(dict(RECORDS))
    request.getfixturevalue("aws")
    client = table("accounts", "token")
    DynamoDbRecords(client, "accounts").write(list(RECORDS.values()))
    return DynamoDbDirectory(client, "accounts", "token")


def test_what_exists_is_found_and_what_does_not_is_absent(directory: Directory) -> None:
    found = directory.find(["tok_1", "tok_none", "tok_2", "tok_1"])
    assert found == {key: RECORDS[key] for key in ("tok_1", "tok_2")}


def test_more_keys_than_one_call_takes_are_all_found(directory: Directory) -> None:
    assert directory.find(list(RECORDS)) == RECORDS


def test_no_keys_find_nothing(directory: Directory) -> None:
    assert directory.find([]) == {}


@pytest.mark.usefixtures("aws")
def test_a_number_in_reference_data_is_its_decimal_text_and_a_binary_stops_nobody() -> None:
    client = table("rates", "pair")
    for pair, rate in {"USD/EUR": {"N": "0.9213"}, "EUR/EUR": {"N": "1"}, "GBP/EUR": {"S": "1.16"}}.items():
        client.put_item(TableName="rates", Item={"pair": {"S": pair}, "rate": rate, "logo": {"B": b"x"}})
    found = DynamoDbDirectory(client, "rates", "pair").find(["USD/EUR", "EUR/EUR", "GBP/EUR"])
    assert {pair: record["rate"] for pair, record in found.items()} == {
        "USD/EUR": "0.9213",
        "EUR/EUR": "1",
        "GBP/EUR": "1.16",
    }
    assert all("logo" not in record for record in found.values())


class Partial:
    """A table that answers for one key per call, for so many calls."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.calls -= 1
        ((name, asked),) = RequestItems.items()
        now, later = asked["Keys"][:1], asked["Keys"][1:]
        if self.calls < 0:
            now, later = [], asked["Keys"]
        return {
            "Responses": {name: [typed(RECORDS[key["token"]["S"]]) for key in now]},
            "UnprocessedKeys": {name: {"Keys": later}} if later else {},
        }


def test_keys_the_table_left_out_are_asked_again() -> None:
    pauses: list[float] = []
    directory = DynamoDbDirectory(Partial(3), "accounts", "token", pauses.append)  # type: ignore[arg-type]
    assert set(directory.find(["tok_1", "tok_2", "tok_3"])) == {"tok_1", "tok_2", "tok_3"}
    assert len(pauses) == 2


def test_a_key_the_table_never_answers_for_is_not_taken_for_an_unknown_one() -> None:
    directory = DynamoDbDirectory(Partial(1), "accounts", "token", lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        directory.find(["tok_1", "tok_2"])


# -- velocity ----------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "dynamodb"])
def velocity(request: pytest.FixtureRequest) -> VelocityCounter:
    if request.param == "fake":
        return InMemoryVelocity(most_counted=3)
    request.getfixturevalue("aws")
    return DynamoDbVelocity(table("claims", "claim_key"), "claims", most_counted=3)


def test_each_transaction_of_an_hour_counts_once(velocity: VelocityCounter) -> None:
    assert [velocity.count("tok", f"visa-{n}", NOON) for n in (1, 2)] == [1, 2]
    assert velocity.count("tok", "visa-1", NOON) == 1, "a redelivery keeps its number"
    assert velocity.count("tok", "visa-2", NOON + timedelta(minutes=59)) == 2


def test_other_hours_and_tokens_count_apart(velocity: VelocityCounter) -> None:
    velocity.count("tok", "visa-1", NOON)
    assert velocity.count("tok", "visa-2", NOON + timedelta(hours=1)) == 1
    assert velocity.count("other", "visa-3", NOON) == 1


def test_counting_stops_where_no_rule_looks_further(velocity: VelocityCounter) -> None:
    assert [velocity.count("tok", f"visa-{n}", NOON) for n in range(5)] == [1, 2, 3, 3, 3]
    assert velocity.count("tok", "visa-1", NOON) == 2


def test_a_counter_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        DynamoDbVelocity(Failing("ThrottlingException"), "claims").count("tok", "visa-1", NOON)  # type: ignore[arg-type]


# -- parking and records -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_what_is_parked_carries_its_reason() -> None:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="quarantine")["QueueUrl"]
    SqsParking(client, url).park(
        {"record": {"auth": {"S": "Ä1\x07"}}}, "auth: letters\x07\ufffe only" + "x" * 2000
    )
    (message,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == {"record": {"auth": {"S": "Ä1\x07"}}}
    assert message["MessageAttributes"]["reason"]["StringValue"].startswith("auth: letters?? only")


class Reluctant:
    """A table that takes one item of each call."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((name, requests),) = RequestItems.items()
        self.taken.append(requests[0])
        return {"UnprocessedItems": {name: requests[1:]} if requests[1:] else {}}


def test_items_the_table_did_not_take_are_sent_again() -> None:
    client = Reluctant()
    DynamoDbRecords(client, "visa", lambda _: None).write([{"auth": f"A{n}"} for n in range(5)])  # type: ignore[arg-type]
    assert [one["PutRequest"]["Item"]["auth"]["S"] for one in client.taken] == [f"A{n}" for n in range(5)]


def test_items_the_table_never_takes_are_not_forgotten() -> None:
    with pytest.raises(Unavailable, match="1 records"):
        DynamoDbRecords(Reluctant(), "visa", lambda _: None).write(  # type: ignore[arg-type]
            [{"auth": f"A{n}"} for n in range(9)]
        )


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"N": "12.5"}, "x"),
        ({"N": "1E400"}, "x"),
        ({"B": "aGk="}, "x"),
        ({"S": "a", "N": "1"}, "x"),
        ("text", "x"),
    ],
)
def test_an_attribute_that_is_no_plain_value_names_itself(value: Any, field: str) -> None:
    with pytest.raises(Malformed) as fault:
        plain({field: value})
    assert fault.value.field == field


@pytest.mark.parametrize("consistent", [True, False])
def test_the_directory_reads_consistently_when_asked_to(consistent: bool) -> None:
    asked = []

    class Answering:
        def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
            asked.append(RequestItems["accounts"]["ConsistentRead"])
            return {"Responses": {"accounts": []}}

    DynamoDbDirectory(Answering(), "accounts", "token").find(["tok_1"], consistent)  # type: ignore[arg-type]
    assert asked == [consistent]
