"""A function's own queue and the dead-letter queue beside it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsQueue:
    """Defers and parks messages of one queue."""

    def __init__(self, client: "SQSClient", queue_url: str, dead_letter_queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url

    def defer(self, receipt_handle: str, seconds: int) -> None:
        """Make the message visible again after ``seconds``.

        Raises:
            Unavailable: the queue did not take it; its own visibility time-out applies.
        """
        try:
            with answering("queue"):
                self._client.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
                )
        except ClientError as error:
            # An expired receipt handle: the message is visible already, only sooner than was wanted.
            if code_of(error) in (
                "InvalidParameterValue",
                "MessageNotInflight",
                "ReceiptHandleIsInvalid",
                "AWS.SimpleQueueService.MessageNotInflight",
            ):
                raise Unavailable(f"queue refused the deferral: {code_of(error)}") from error
            raise

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
