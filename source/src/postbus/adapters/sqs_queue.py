"""A function's own queue and the dead-letter queue beside it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The service's limit of entries in one call.
_ENTRIES_PER_CALL = 10

# The receipt handle has expired, or the message is gone: whoever held it has no say in it any more.
NO_LONGER_HELD = frozenset(
    {
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
        "MessageNotInflight",
        "ReceiptHandleIsInvalid",
    }
)


class SqsQueue:
    """Defers and parks messages of one queue."""

    def __init__(self, client: "SQSClient", queue_url: str, dead_letter_queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url

    def defer(self, seconds: Mapping[str, int]) -> None:
        """Make messages, by receipt handle, visible again after so many seconds each.

        A message that is not held any more is passed over: it is visible already, only sooner than was
        wanted, or gone.

        Raises:
            Unavailable: the queue did not take all; for the others its own visibility time-out applies.
        """
        refused: set[str] = set()
        waits = list(seconds.items())
        for start in range(0, len(waits), _ENTRIES_PER_CALL):
            try:
                refused |= self._refused(waits[start : start + _ENTRIES_PER_CALL])
            except Unavailable as error:  # of these ten: the next ten are asked for all the same
                refused.add(str(error))
        if refused:
            raise Unavailable(f"queue refused a deferral: {', '.join(sorted(refused))}")

    def _refused(self, waits: Sequence[tuple[str, int]]) -> set[str]:
        with answering("queue"):
            answer = self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": wait}
                    for number, (handle, wait) in enumerate(waits)
                ],
            )
        return {failed["Code"] for failed in answer.get("Failed", [])} - NO_LONGER_HELD

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        """Send the message's body, unchanged, to the dead-letter queue with the reason as an attribute.

        A message with a group, from a FIFO queue, keeps its group there.

        Raises:
            Unavailable: the dead-letter queue did not answer; the message must not be forgotten.
        """
        fifo: Any = {}
        if group := message.get("attributes", {}).get("MessageGroupId"):
            # Its own id, new with every redrive: parked twice within five minutes it must not vanish.
            fifo = {"MessageGroupId": group, "MessageDeduplicationId": str(message["messageId"])}
        with answering("dead-letter queue"):
            self._client.send_message(
                QueueUrl=self._dead_letter_queue_url,
                MessageBody=message["body"],
                MessageAttributes={
                    "reason": {"DataType": "String", "StringValue": reason[:1024]},
                    "message_id": {"DataType": "String", "StringValue": str(message["messageId"])},
                },
                **fifo,
            )
