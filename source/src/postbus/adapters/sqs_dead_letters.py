"""A queue of what could not be delivered or processed: counted, looked at, and emptied without losing any."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.sqs_queue import NO_LONGER_HELD

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MESSAGES_PER_CALL = 10

# Long polling asks every partition of the queue: only then is an empty answer an empty queue.
_WAIT_SECONDS = 1

# As long as one batch may take to be sent on; whatever is left when the command is killed comes back then.
_HELD_SECONDS = 120


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message.

    Attributes:
        reason: why it was parked, if whoever parked it said so.
        attributes: as set by the sender; EventBridge tells there which target failed, and how.
    """

    message_id: str
    body: str
    reason: str | None
    attributes: dict[str, str]
    sent_at: datetime
    receipt_handle: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait in a queue, and how many someone has taken and not finished."""

    messages: int
    in_flight: int


class SqsDeadLetters:
    """One queue."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def depth(self) -> Depth:
        """Approximately, as the service puts it."""
        with answering("queue"):
            found = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
        return Depth(
            int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])
        )

    def take(self, most: int) -> Iterator[DeadLetter]:
        """Up to so many messages, each once; nobody else sees them until they are put back or deleted."""
        taken: set[str] = set()
        while len(taken) < most:
            with answering("queue"):
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(_MESSAGES_PER_CALL, most - len(taken)),
                    VisibilityTimeout=_HELD_SECONDS,
                    WaitTimeSeconds=_WAIT_SECONDS,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            fresh = [message for message in answer.get("Messages", []) if message["MessageId"] not in taken]
            if not fresh:
                return
            for message in fresh:
                taken.add(message["MessageId"])
                attributes = {
                    name: str(value.get("StringValue", ""))
                    for name, value in message.get("MessageAttributes", {}).items()
                }
                sent = int(message["Attributes"]["SentTimestamp"]) / 1000
                yield DeadLetter(
                    message_id=message["MessageId"],
                    body=message["Body"],
                    reason=attributes.get("reason") or attributes.get("ERROR_MESSAGE"),
                    attributes=attributes,
                    sent_at=datetime.fromtimestamp(sent, UTC),
                    receipt_handle=message["ReceiptHandle"],
                )

    def put_back(self, letter: DeadLetter) -> None:
        """Let others see it again; where it is not held any more, they do already."""
        try:
            with answering("queue"):
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=letter.receipt_handle, VisibilityTimeout=0
                )
        except ClientError as error:
            if code_of(error) not in NO_LONGER_HELD:
                raise

    def delete(self, letter: DeadLetter) -> None:
        with answering("queue"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)

    def send(self, body: str) -> None:
        """A message as the sender of the original would have sent it."""
        with answering("queue"):
            self._client.send_message(QueueUrl=self._url, MessageBody=body)
