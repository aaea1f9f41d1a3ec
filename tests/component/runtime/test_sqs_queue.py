"""A function's own queue, as the service keeps it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from postbus.adapters.sqs_queue import SqsQueue
from postbus.domain.errors import Unavailable

REGION = "eu-central-1"


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("sqs", region_name=REGION)


class Counting:
    """A client that counts the calls that defer, and may refuse an entry of each."""

    def __init__(self, client: Any, refused: str = "") -> None:
        self._client = client
        self._refused = refused
        self.entries: list[int] = []

    def change_message_visibility_batch(self, **call: Any) -> Any:
        self.entries.append(len(call["Entries"]))
        refused = [one for one in call["Entries"] if one["ReceiptHandle"] == self._refused]
        call["Entries"] = [one for one in call["Entries"] if one not in refused]
        answer = self._client.change_message_visibility_batch(**call)
        failed = [{"Id": one["Id"], "Code": "MessageNotInflight", "SenderFault": True} for one in refused]
        return {**answer, "Failed": failed}


def taken(sqs: Any, url: str, count: int) -> list[str]:
    for number in range(count):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    handles: list[str] = []
    while len(handles) < count:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600)
        handles += [message["ReceiptHandle"] for message in found["Messages"]]
    return handles


def visible(sqs: Any, url: str) -> int:
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(counted["Attributes"]["ApproximateNumberOfMessages"])


def test_messages_are_deferred_ten_a_call_each_by_its_own_time(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="timeline")["QueueUrl"]
    handles, client = taken(sqs, url, 23), Counting(sqs)
    # What waits no longer than zero seconds is seen at once, without a clock.
    SqsQueue(client, url, "dead").defer(
        {handle: 0 if n in (4, 21) else 600 for n, handle in enumerate(handles)}
    )  # type: ignore[arg-type]
    assert client.entries == [10, 10, 3]
    assert visible(sqs, url) == 2


def test_a_deferral_that_is_refused_keeps_none_of_the_others_from_theirs(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="timeline")["QueueUrl"]
    handles = taken(sqs, url, 12)
    queue = SqsQueue(Counting(sqs, refused=handles[3]), url, "dead")  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="MessageNotInflight"):
        queue.defer(dict.fromkeys(handles, 0))
    assert visible(sqs, url) == 11
