"""The posting function and the scheduled check through their entry points, as they are deployed."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.domain.event import Event
from postbus.domain.transaction import Kind
from postbus.functions.post import handler as post
from postbus.functions.verify_ledger import handler as verify_ledger
from postbus.runtime.clients import client
from postbus.runtime.config import ConfigurationMissing
from postbus.runtime.entry import queue_function, request_function
from tests.component.ledger.worlds import create_tables
from tests.fakes.approvals import BOB, approval


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client.cache_clear()
        sqs, events = boto3.client("sqs"), boto3.client("events")
        create_tables(boto3.client("dynamodb"))
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("posting", "dead", "told")}
        arn = sqs.get_queue_attributes(QueueUrl=urls["told"], AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        events.create_event_bus(Name="bus")
        events.put_rule(Name="all", EventBusName="bus", EventPattern='{"source": ["postbus.posting"]}')
        events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "told", "Arn": arn}])
        settings = {
            "BUS": "bus", "QUEUE_URL": urls["posting"], "DEAD_LETTER_QUEUE_URL": urls["dead"],
            "LEDGER_TABLE": "ledger", "BALANCES_TABLE": "balances", "SHARDS": "64", "RETRY_HOURS": "72",
            "METRICS_NAMESPACE": "Postbus",
        }  # fmt: skip
        for name, value in settings.items():
            monkeypatch.setenv(f"POSTBUS_{name}", value)
        yield urls
    client.cache_clear()


def message(event: Event, number: int, body: str | None = None) -> dict[str, Any]:
    said = {"detail-type": event.type, "source": "postbus.business_rules", "detail": event.to_detail()}
    return {
        "messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body or json.dumps(said),
        "attributes": {"ApproximateReceiveCount": "1"},
    }  # fmt: skip


def received(url: str) -> list[dict[str, Any]]:
    answer = boto3.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return answer.get("Messages", [])  # type: ignore[return-value]


def test_a_batch_is_booked_announced_and_its_poison_parked(deployed: dict[str, str]) -> None:
    nobody = approval("A3")
    nobody = Event.first(nobody.type, nobody.transaction_id, "x", nobody.occurred_at, {"transaction": {}})
    batch = [
        message(approval("A1"), 1),
        message(approval("A2", Kind.TRANSFER, to=BOB), 2),
        message(nobody, 3),
        message(approval("A4"), 4, body="{"),
        message(approval("A1"), 5),
    ]
    assert queue_function(post.bind)({"Records": batch}, None) == {"batchItemFailures": []}
    told = {
        said["detail"]["metadata"]["transaction_id"]: said["detail-type"]
        for said in (json.loads(one["Body"]) for one in received(deployed["told"]))
    }
    assert told == {"visa-A1": "TransactionPosted", "visa-A2": "TransactionPostingFailed"}
    assert len(received(deployed["dead"])) == 2

    answer = request_function(verify_ledger.bind)({}, None)
    assert (answer["postings"], answer["wrong_count"], answer["unconfirmed_count"]) == (1, 0, 0)
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Postbus")["Metrics"]
    assert {(m["MetricName"], m["Dimensions"][0]["Value"]) for m in metrics} == {
        ("LedgerImbalance", "verify_ledger"), ("LedgerUnconfirmed", "verify_ledger"),
    }  # fmt: skip


def test_other_content_under_a_posted_id_is_parked_with_its_reason(deployed: dict[str, str]) -> None:
    handler = queue_function(post.bind)
    handler({"Records": [message(approval("A1"), 1)]}, None)
    handler({"Records": [message(approval("A1", content="other"), 2)]}, None)
    (parked,) = received(deployed["dead"])
    assert "POSTED with content" in parked["MessageAttributes"]["reason"]["StringValue"]


def test_the_external_ledger_is_chosen_by_its_setting(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTBUS_LEDGER", "http")
    monkeypatch.setenv("POSTBUS_RETRY_HOURS", "1000000")  # the approval is of a fixed day
    monkeypatch.setenv("POSTBUS_HTTP_LEDGER_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("POSTBUS_HTTP_LEDGER_SECRET_ID", "ledger")
    answer = queue_function(post.bind)({"Records": [message(approval("A1"), 1)]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert boto3.client("dynamodb").scan(TableName="ledger")["Items"] == []


def test_an_unknown_ledger_is_named_and_nothing_is_booked_anywhere(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTBUS_LEDGER", "htpp")
    with pytest.raises(ConfigurationMissing, match="POSTBUS_LEDGER is 'htpp': dynamodb or http"):
        queue_function(post.bind)({"Records": [message(approval("A1"), 1)]}, None)
