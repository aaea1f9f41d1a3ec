"""Every event reaches the audit stream as a line of its own, or its message comes back."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.firehose_audit import FirehoseAudit, line
from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit
from postbus.functions.forward_audit.handler import build

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def event(number: int, text: str = "ü") -> Event:
    return Event.first("TransactionAuthorized", f"visa-{number}", "record:1", NOON, {"x": text})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.Session(region_name="eu-central-1")


def test_events_are_kept_one_a_line(aws: Any) -> None:
    s3, firehose = aws.client("s3"), aws.client("firehose")
    s3.create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    firehose.create_delivery_stream(
        DeliveryStreamName="trail",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/x", "BucketARN": "arn:aws:s3:::audit",
        },
    )  # fmt: skip
    events = [event(1), event(2)]
    assert build(FirehoseAudit(firehose, "trail"))(events) == [Emit(()), Emit(())]
    body = b"".join(
        s3.get_object(Bucket="audit", Key=entry["Key"])["Body"].read()
        for entry in s3.list_objects_v2(Bucket="audit")["Contents"]
    )
    kept = [json.loads(line) for line in body.decode().splitlines()]
    assert [Event.from_bus(message) for message in kept] == events


def test_a_refused_record_brings_back_its_own_message_only() -> None:
    class RefusesTheSecond:
        def write(self, events: Sequence[Event]) -> frozenset[str]:
            return frozenset({events[1].event_id})

    results = build(RefusesTheSecond())([event(1), event(2), event(3)])
    assert [type(result) for result in results] == [Emit, Defer, Emit]


class Stream:
    """A delivery stream that keeps what it was sent, and refuses the record with this number."""

    def __init__(self, refuses: int | None = None) -> None:
        self.calls: list[list[bytes]] = []
        self._refuses = refuses

    def put_record_batch(self, DeliveryStreamName: str, Records: Any) -> dict[str, Any]:  # noqa: N803
        self.calls.append([record["Data"] for record in Records])
        answers: list[dict[str, str]] = [{"RecordId": "1"} for _ in Records]
        if self._refuses is not None:
            answers[self._refuses] = {"ErrorCode": "ServiceUnavailableException"}
        return {"FailedPutCount": len(answers), "RequestResponses": answers}


def test_the_events_of_a_batch_share_a_record() -> None:
    stream = Stream()
    FirehoseAudit(stream, "trail").write([event(1), event(2)])  # type: ignore[arg-type]
    assert stream.calls == [[line(event(1)) + line(event(2))]]


def test_no_record_and_no_call_is_larger_than_the_stream_takes() -> None:
    stream = Stream()
    large = [event(number, "x" * 450_000) for number in range(11)]
    FirehoseAudit(stream, "trail").write(large)  # type: ignore[arg-type]
    assert max(len(record) for call in stream.calls for record in call) <= 1000 * 1024
    assert max(sum(map(len, call)) for call in stream.calls) <= 4 * 1024 * 1024
    assert b"".join(record for call in stream.calls for record in call) == b"".join(map(line, large))


def test_what_the_stream_refuses_is_read_record_by_record() -> None:
    large = [event(number, "x" * 450_000) for number in range(5)]
    refused = FirehoseAudit(Stream(refuses=1), "trail").write(large)  # type: ignore[arg-type]
    assert refused == {large[2].event_id, large[3].event_id}
