"""The mock writes records of real card messages, without a card number, in the mix and pace asked for."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import iso8583
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from postbus.adapters.dynamodb_items import plain
from postbus.adapters.record_schemas import record_schema
from postbus.domain import sample
from postbus.domain.card_numbers import scan
from postbus.domain.errors import Malformed
from postbus.domain.inbound import SOURCES, RecordSchema
from postbus.domain.iso8583 import SPEC, pack, record_of
from postbus.domain.sample import Mix
from postbus.domain.transaction import Transaction
from postbus.functions.generate_visa.handler import bind, build
from postbus.runtime.entry import request_function

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = RecordSchema(record_schema("visa"))


@dataclass
class ListTable:
    """What was written, and when on the bench's clock."""

    at: list[float] = field(default_factory=lambda: [0.0])
    records: list[Mapping[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records += records
        self.times += [self.at[0]] * len(records)

    def monotonic(self) -> float:
        return self.at[0]

    def sleep(self, seconds: float) -> None:
        self.at[0] += seconds


def generated(**options: Any) -> tuple[dict[str, Any], ListTable]:
    table = ListTable()
    generate = build(table, "eu-west-1", lambda: NOON, table.monotonic, table.sleep)
    return generate(options), table


def read(record: Mapping[str, Any]) -> Transaction | Malformed:
    return SOURCES["visa"].read(record, dict, SCHEMA)


def test_every_record_but_the_invalid_ones_enters_as_what_was_made() -> None:
    answer, table = generated(count=300, seed=7, reversal_rate=0.05)
    invalid = set(answer["transactions"]["invalid"])
    assert len(invalid) == 15
    for record in table.records:
        result = read(record)
        assert isinstance(result, Malformed) == (f"visa-{record['auth']}" in invalid), result


def test_no_card_number_reaches_a_record_or_the_answer() -> None:
    answer, table = generated(count=300, seed=7)
    assert scan(json.dumps(answer)) == []
    assert scan(json.dumps(table.records)) == []


def test_the_answer_counts_what_was_written_and_what_is_to_become_of_it() -> None:
    answer, table = generated(count=200, seed=1)
    assert answer["written"] == len(table.records) == 200
    assert sum(answer["counts"].values()) == 200
    finals = ("posted", "held", "rejected", "quarantined", "not_entered")
    assert sum(answer["expected"][name] for name in finals) == 200
    assert answer["expected"]["not_entered"] == sum(
        record["status"] != "APPROVED" for record in table.records
    )


def test_the_same_seed_writes_the_same_records() -> None:
    assert generated(count=30, seed=5)[1].records == generated(count=30, seed=5)[1].records


def test_without_a_seed_the_answer_says_which_it_was() -> None:
    answer, table = generated()
    assert generated(seed=answer["seed"])[1].records == table.records
    assert answer["written"] == 20


@pytest.mark.parametrize("per_second", [2, 40, 200])
def test_a_pace_is_kept(per_second: float) -> None:
    _, table = generated(count=100, seed=1, rate_per_second=per_second)
    assert len(table.records) == 100
    for number, time in enumerate(table.times):
        assert number / per_second - 1e-6 <= time <= number / per_second + 1 / min(per_second, 5) + 1e-6


@settings(max_examples=40)
@given(st.integers(0, 2**40), st.datetimes(datetime(2001, 1, 1), datetime(2098, 12, 31)))
def test_a_message_is_read_back_as_it_was_packed(seed: int, start: datetime) -> None:
    mix = Mix.from_options({"count": 12, "seed": seed, "reversal_rate": 0.1}, start.replace(tzinfo=UTC))
    for payment in sample.payments(mix, random.Random(seed)):
        message = pack(payment)
        elements, _ = iso8583.decode(message, SPEC)
        assert iso8583.encode(elements, SPEC)[0] == message
        assert message[:4] == (b"0400" if payment.kind == "reversal" else b"0100")
        record = record_of(message, sample.token_of, payment.sent_at, "eu-west-1", "APPROVED")
        transaction = read(record)
        assert isinstance(transaction, Transaction), transaction
        assert (transaction.amount, transaction.billing) == (payment.amount, payment.billing)
        assert transaction.conversion_rate == payment.rate
        assert transaction.transmitted_at == payment.sent_at.isoformat().replace("+00:00", "Z")
        assert record["pan_last_four"] == payment.card_number[-4:]
        assert payment.card_number not in json.dumps(record)


# -- the deployed function ---------------------------------------------------------------------------------


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from postbus.runtime.clients import client

    for name, value in {
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("POSTBUS_INPUT_TABLE", "visa")
    monkeypatch.setenv("POSTBUS_HOME_REGION", "eu-west-1")
    with mock_aws():
        client.cache_clear()
        boto3.client("dynamodb").create_table(
            TableName="visa",
            KeySchema=[{"AttributeName": "auth", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "auth", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield request_function(bind)
    client.cache_clear()


def test_the_deployed_function_writes_a_small_sample_when_asked_for_nothing(deployed: Any) -> None:
    answer = deployed({}, None)
    items = boto3.client("dynamodb").scan(TableName="visa")["Items"]
    assert len(items) == answer["written"] == 20
    assert {f"visa-{plain(item)['auth']}" for item in items} == {
        one for of_kind in answer["transactions"].values() for one in of_kind
    }


def test_the_deployed_function_answers_a_bad_option_with_its_name_and_writes_nothing(deployed: Any) -> None:
    with pytest.raises(Malformed, match="count: a whole number from 1 to 10000"):
        deployed({"count": "many"}, None)
    assert boto3.client("dynamodb").scan(TableName="visa")["Items"] == []
