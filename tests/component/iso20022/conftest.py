"""The same message store twice: in memory, and in a DynamoDB table."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
from tests.fakes.iso20022 import InMemoryMessages


def create_table(client: Any, name: str = "iso20022") -> None:
    """The table as deployed, without what a test does not need."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (
                ("transaction_id", "S"), ("part", "S"), ("open_shard", "N"), ("deadline", "N"), ("due", "N"),
            )
        ],
        KeySchema=[
            {"AttributeName": "transaction_id", "KeyType": "HASH"},
            {"AttributeName": "part", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": "open_shard", "KeyType": "HASH"},
                    {"AttributeName": by, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index, by in (("open", "deadline"), ("due", "due"))
        ],
    )  # fmt: skip


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    client = boto3.client("dynamodb", region_name="eu-central-1")
    create_table(client)
    return client


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> InMemoryMessages | DynamoDbMessages:
    if request.param == "memory":
        return InMemoryMessages()
    return DynamoDbMessages(request.getfixturevalue("dynamodb"), "iso20022", sleep=lambda _: None)
