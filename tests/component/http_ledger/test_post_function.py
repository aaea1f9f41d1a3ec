"""The deployed posting function with an external posting system behind it, from queue to bus."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
from postbus.adapters.eventbridge_bus import entry
from postbus.domain.lifecycle import OutcomeState
from postbus.functions.post.handler import bind
from postbus.runtime.clients import client
from postbus.runtime.entry import Handler, queue_function
from tests.component.ledger.worlds import create_tables
from tests.contract.conformance import assert_message_conforms
from tests.fakes.approvals import approval
from tests.servers.misbehaving_ledger import MisbehavingLedger, Way

pytestmark = pytest.mark.component


@dataclass
class Deployed:
    """The function, what it is connected to, and what it has told the bus."""

    handler: Handler
    system: MisbehavingLedger
    outcomes: DynamoDbOutcomes
    told_url: str
    queue_url: str

    def deliver(self, *names: str) -> list[str]:
        """Hand approvals of ``visa-<name>`` to the function; the ids of those that must come back."""
        answer = self.handler({"Records": [self._record(name) for name in names]}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _record(self, name: str) -> Mapping[str, Any]:
        wire = entry(approval(name), "bus")
        body = {
            "source": wire["Source"], "detail-type": wire["DetailType"], "detail": json.loads(wire["Detail"]),
        }  # fmt: skip
        sqs = client("sqs")
        sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(body))
        (message,) = sqs.receive_message(QueueUrl=self.queue_url)["Messages"]
        return {
            "messageId": name,
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": {"ApproximateReceiveCount": "1"},
        }

    def told(self) -> list[str]:
        """Types of the events on the bus since the last look, each held against the catalogue."""
        found = client("sqs").receive_message(QueueUrl=self.told_url, MaxNumberOfMessages=10)
        messages = [json.loads(message["Body"]) for message in found.get("Messages", [])]
        for message in messages:
            assert_message_conforms(message)
        return sorted(message["detail-type"] for message in messages)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws(), MisbehavingLedger(tokens=["open-sesame"]) as system:
        client.cache_clear()
        create_tables(boto3.client("dynamodb"))
        sqs, events = boto3.client("sqs"), boto3.client("events")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("posting", "dead", "told")}
        told_arn = "arn:aws:sqs:eu-central-1:123456789012:told"
        events.create_event_bus(Name="bus")
        events.put_rule(Name="all", EventBusName="bus", EventPattern='{"source": [{"prefix": "postbus."}]}')
        events.put_targets(Rule="all", EventBusName="bus", Targets=[{"Id": "told", "Arn": told_arn}])
        secret = boto3.client("secretsmanager").create_secret(
            Name="posting-system", SecretString=json.dumps({"token": "open-sesame"})
        )
        for name, value in {
            "BUS": "bus",
            "LEDGER": "http",
            "LEDGER_TABLE": "ledger",
            "HTTP_LEDGER_URL": system.url,
            "HTTP_LEDGER_SECRET_ID": secret["ARN"],
            "QUEUE_URL": urls["posting"],
            "DEAD_LETTER_QUEUE_URL": urls["dead"],
            "RETRY_HOURS": "1000000",
        }.items():
            monkeypatch.setenv(f"POSTBUS_{name}", value)
        outcomes = DynamoDbOutcomes(boto3.client("dynamodb"), "ledger")
        yield Deployed(queue_function(bind), system, outcomes, urls["told"], urls["posting"])
        client.cache_clear()


def test_what_the_posting_system_books_is_announced_and_what_it_refuses_too(deployed: Deployed) -> None:
    deployed.system.post_ways(Way.GOOD, Way.REFUSED)
    assert deployed.deliver("A1", "A2") == []
    assert deployed.told() == ["TransactionPosted", "TransactionPostingFailed"]


def test_an_outage_defers_the_batch_and_ends_with_everything_posted_once(deployed: Deployed) -> None:
    deployed.system.usually("POST", Way.FORBIDDEN)
    assert deployed.deliver("A1", "A2", "A3") == ["A1", "A2", "A3"]
    assert deployed.told() == []
    assert [outcome.transaction_id for outcome in deployed.outcomes.in_state(OutcomeState.SENDING)] == [
        "visa-A1"
    ]
    deployed.system.behave()
    assert deployed.deliver("A1", "A2", "A3") == []
    assert deployed.told() == ["TransactionPosted"] * 3
    assert set(deployed.system.books.times_booked.values()) == {1}
    assert list(deployed.outcomes.in_state(OutcomeState.SENDING)) == []


def test_a_contradiction_is_parked_with_its_reason_and_stays_undecided(deployed: Deployed) -> None:
    deployed.system.post_ways(Way.ANOTHER_AMOUNT)
    assert deployed.deliver("A1") == []
    (parked,) = client("sqs").receive_message(
        QueueUrl=deployed.queue_url.replace("posting", "dead"), MessageAttributeNames=["All"]
    )["Messages"]
    assert "another amount" in parked["MessageAttributes"]["reason"]["StringValue"]
    outcome = deployed.outcomes.find("visa-A1")
    assert outcome is not None
    assert outcome.state is OutcomeState.SENDING
