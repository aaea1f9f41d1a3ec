"""The same timeline twice: in memory, and in a DynamoDB table."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from tests.fakes.timeline import InMemoryTimeline


def create_table(client: Any, name: str = "timeline") -> None:
    """The table as deployed, without what a test does not need."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("transaction_id", "entry", "open_bucket", "idle_since")
        ],
        KeySchema=[
            {"AttributeName": "transaction_id", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open",
                "KeySchema": [
                    {"AttributeName": "open_bucket", "KeyType": "HASH"},
                    {"AttributeName": "idle_since", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_table(client)
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def timeline(request: pytest.FixtureRequest) -> InMemoryTimeline | DynamoDbTimeline:
    if request.param == "memory":
        return InMemoryTimeline()
    return DynamoDbTimeline(request.getfixturevalue("dynamodb"), "timeline", sleep=lambda _: None)
