"""The same books twice: in memory, and in DynamoDB tables."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.dynamodb_ledger import DynamoDbLedger
from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from tests.component.ledger.worlds import InMemoryWorld, TableWorld, World, create_tables
from tests.fakes.ledger import Books, InMemoryLedger, InMemoryOutcomes


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_tables(client)
        yield client


@pytest.fixture
def tables(dynamodb: Any) -> TableWorld:
    ledger = DynamoDbLedger(dynamodb, "ledger", "balances", shards=64, sleep=lambda _: None)
    return TableWorld(ledger, DynamoDbOutcomes(dynamodb, "ledger"), dynamodb)


@pytest.fixture(params=["memory", "dynamodb"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "dynamodb":
        found: World = request.getfixturevalue("tables")
        return found
    books = Books()
    return InMemoryWorld(InMemoryLedger(books), InMemoryOutcomes(books), books)
