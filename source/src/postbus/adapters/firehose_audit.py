"""The audit trail's way in where rules do not reach Firehose by themselves: one event per line."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

# The service's limit of records in one call; a batch of a queue is far smaller.
_RECORDS_PER_CALL = 500


def line(event: Event) -> bytes:
    """The event as the bus tells it, on a line of its own."""
    source = FACTS[event.type].source if event.type in FACTS else "unknown"
    message = {"source": source, "detail-type": event.type, "detail": event.to_detail()}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class FirehoseAudit:
    """Writes events to one delivery stream."""

    def __init__(self, client: "FirehoseClient", stream: str) -> None:
        self._client = client
        self._stream = stream

    def write(self, events: Sequence[Event]) -> frozenset[str]:
        """Send the events.

        Returns:
            The ids of those the stream refused; empty when it took them all.
        Raises:
            Unavailable: it did not answer; any of them may have been taken, and may be sent again.
        """
        refused: set[str] = set()
        for start in range(0, len(events), _RECORDS_PER_CALL):
            chunk = events[start : start + _RECORDS_PER_CALL]
            with answering("audit stream"):
                answer = self._client.put_record_batch(
                    DeliveryStreamName=self._stream, Records=[{"Data": line(event)} for event in chunk]
                )
            for event, verdict in zip(chunk, answer["RequestResponses"], strict=True):
                if verdict.get("ErrorCode"):
                    refused.add(event.event_id)
        return frozenset(refused)
