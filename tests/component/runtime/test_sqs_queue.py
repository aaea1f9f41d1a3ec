"""A function's own queue, as the service keeps it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from postbus.adapters.sqs_dead_letters import SqsDeadLetters
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
    """A client that counts the calls that defer, and may refuse an entry, or fail one of the calls."""

    def __init__(
        self, client: Any, refused: str = "", code: str = "", failing: int = 0, error: Exception | None = None
    ) -> None:
        self._client = client
        self._refused = refused
        self._code = code
        self._failing = failing
        self._error = error
        self.entries: list[int] = []

    def change_message_visibility_batch(self, **call: Any) -> Any:
        self.entries.append(len(call["Entries"]))
        if self._error and len(self.entries) == self._failing:
            raise self._error
        refused = [one for one in call["Entries"] if one["ReceiptHandle"] == self._refused]
        call["Entries"] = [one for one in call["Entries"] if one not in refused]
        answer = self._client.change_message_visibility_batch(**call)
        failed = [{"Id": one["Id"], "Code": self._code, "SenderFault": True} for one in refused]
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
    client: Any = Counting(sqs, refused=handles[3], code="InternalError")
    with pytest.raises(Unavailable, match="InternalError"):
        SqsQueue(client, url, "dead").defer(dict.fromkeys(handles, 0))
    assert visible(sqs, url) == 11


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"])
def test_a_message_that_is_not_held_any_more_needs_no_deferral(sqs: Any, code: str) -> None:
    url = sqs.create_queue(QueueName="timeline")["QueueUrl"]
    handles = taken(sqs, url, 2)
    client: Any = Counting(sqs, refused=handles[0], code=code)
    SqsQueue(client, url, "dead").defer(dict.fromkeys(handles, 0))
    assert visible(sqs, url) == 1


def test_a_call_that_gets_no_answer_keeps_the_other_calls_from_nothing(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="timeline")["QueueUrl"]
    handles = taken(sqs, url, 25)
    throttled = ClientError({"Error": {"Code": "RequestThrottled"}}, "ChangeMessageVisibilityBatch")
    client: Any = Counting(sqs, failing=2, error=throttled)
    with pytest.raises(Unavailable, match="RequestThrottled"):
        SqsQueue(client, url, "dead").defer(dict.fromkeys(handles, 0))
    assert client.entries == [10, 10, 5]
    assert visible(sqs, url) == 15


def test_a_dead_letter_that_is_not_held_any_more_needs_no_putting_back(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    letters = SqsDeadLetters(sqs, url)
    letter = next(letters.take(1))
    letters.put_back(replace(letter, receipt_handle="expired"))
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(ClientError, match=r"NonExistentQueue|QueueDoesNotExist"):
        letters.put_back(letter)
