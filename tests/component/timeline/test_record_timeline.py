"""The recorder, as its queue calls it."""

import json
from typing import Any

import boto3
import pytest

from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
from postbus.adapters.eventbridge_bus import entry
from postbus.domain.errors import Unavailable
from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit
from postbus.functions.record_timeline.handler import build
from tests.fakes import stories
from tests.fakes.timeline import InMemoryTimeline


def message(body: str, number: int = 0) -> dict[str, Any]:
    return {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body, "attributes": {}}


def told(event: Event) -> str:
    sent = entry(event, "postbus")
    return json.dumps({"source": sent["Source"], "detail-type": event.type, "detail": event.to_detail()})


@pytest.fixture
def handler(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    from postbus.functions.record_timeline.handler import bind
    from postbus.runtime.clients import client
    from postbus.runtime.entry import queue_function

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    sqs = boto3.client("sqs")
    for name in ("timeline", "timeline-dead-letters"):
        sqs.create_queue(QueueName=name)
    for name, value in {
        "BUS": "postbus",
        "TIMELINE_TABLE": "timeline",
        "QUEUE_URL": sqs.get_queue_url(QueueName="timeline")["QueueUrl"],
        "DEAD_LETTER_QUEUE_URL": sqs.get_queue_url(QueueName="timeline-dead-letters")["QueueUrl"],
    }.items():
        monkeypatch.setenv(f"POSTBUS_{name}", value)
    client.cache_clear()
    yield queue_function(bind)
    client.cache_clear()


def test_a_batch_is_recorded_and_one_poison_message_does_not_hold_back_its_neighbours(
    handler: Any, dynamodb: Any
) -> None:
    bodies = [*map(told, stories.paid()), "not an event"]
    records = [message(body, number) for number, body in enumerate(bodies)]
    assert handler({"Records": records}, None) == {"batchItemFailures": []}
    assert DynamoDbTimeline(dynamodb, "timeline").story("visa-A1").is_final
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="timeline-dead-letters")["QueueUrl"]
    (parked,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert parked["Body"] == "not an event"


def test_only_events_that_were_not_kept_come_again() -> None:
    class Half(InMemoryTimeline):
        def record(self, events: Any) -> Any:
            return {events[1].event_id: "busy"}

    assert build(Half())(stories.paid()[:3]) == [Emit(()), Defer("busy"), Emit(())]


def test_a_timeline_that_is_away_is_no_answer() -> None:
    timeline = InMemoryTimeline()
    timeline.away = True
    with pytest.raises(Unavailable):
        build(timeline)(stories.paid())
