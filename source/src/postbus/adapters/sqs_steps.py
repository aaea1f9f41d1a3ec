"""The FIFO queues of the steps."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.iso20022.workflow import StepCall, StepName

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def queue_urls(text: str) -> dict[StepName, str]:
    """Read ``process=https://...,release=https://...``; no text, no queues; raises Malformed."""
    urls = {}
    for pair in text.split(",") if text else ():
        name, equals, url = pair.strip().partition("=")
        if not equals or not url or name not in set(StepName):
            raise Malformed("step queue URLs", "pairs such as process=https://..., separated by commas")
        urls[StepName(name)] = url
    return urls


class SqsSteps:
    """``ports_iso20022.Steps``; a group for each transaction: they run beside each other."""

    def __init__(self, client: "SQSClient", urls: Mapping[StepName, str]) -> None:
        self._client = client
        self._urls = urls

    def send(self, transaction_id: str, step: StepName, attempt: int) -> None:
        """See ``ports_iso20022.Steps``.

        Raises:
            Unavailable: the queue did not answer; it may have taken it, so send the same attempt again.
            InvariantBroken: the function was deployed without this step's queue.
        """
        if step not in self._urls:
            raise InvariantBroken(f"no queue is known for the step {step}")
        with answering(f"queue of {step}"):
            self._client.send_message(
                QueueUrl=self._urls[step],
                MessageBody=json.dumps(StepCall(transaction_id, step, attempt).to_data()),
                MessageGroupId=transaction_id,
                # With the attempt: without it a redrive within five minutes would vanish.
                MessageDeduplicationId=f"{transaction_id}.{step}.{attempt}",
            )

    def look(self, step: StepName) -> None:
        """Ask a step's queue for nothing but an answer; raises Unavailable."""
        with answering(f"queue of {step}"):
            self._client.get_queue_attributes(QueueUrl=self._urls[step], AttributeNames=["QueueArn"])
