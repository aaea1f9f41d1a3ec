"""A queue where what cannot succeed as it is waits for an operator."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from postbus.adapters.aws_calls import answering

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MOST_OF_A_REASON = 1024

# What SQS refuses in a message: everything that XML 1.0 cannot hold.
_REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SqsParking:
    """Parks bodies as JSON, with the reason also as an attribute for whoever lists the queue."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def park(self, body: Mapping[str, Any], reason: str) -> None:
        """Send the body; its JSON must be at most 250 kB (``quarantine.parked`` sees to it).

        Raises:
            Unavailable: the queue did not answer; what was to be parked must not be forgotten.
        """
        text = _REFUSED.sub("?", reason)[:_MOST_OF_A_REASON]
        with answering("quarantine queue"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps(body),
                MessageAttributes={"reason": {"DataType": "String", "StringValue": text}},
            )
