"""The audit trail's way in where rules do not reach Firehose by themselves: one event per line."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

# A record counts as 5 KB at least, and to an emulator each is a file: so lines share one, up to the service's
# limit of 1,000 KiB, and as many go in a call as make its 4 MiB.
_BYTES_PER_RECORD = 1_000_000
_RECORDS_PER_CALL = 4


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
            The ids of those the stream refused, alone or with what shared their record.
        Raises:
            Unavailable: it did not answer; any of them may have been taken, and may be sent again.
        """
        refused: set[str] = set()
        records = list(_records(events))
        for start in range(0, len(records), _RECORDS_PER_CALL):
            chunk = records[start : start + _RECORDS_PER_CALL]
            with answering("audit stream"):
                answer = self._client.put_record_batch(
                    DeliveryStreamName=self._stream,
                    Records=[{"Data": b"".join(map(line, together))} for together in chunk],
                )
            for together, verdict in zip(chunk, answer["RequestResponses"], strict=True):
                if verdict.get("ErrorCode"):
                    refused.update(event.event_id for event in together)
        return frozenset(refused)


def _records(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The events in their order, as many together as one record takes."""
    together: list[Event] = []
    size = 0
    for event in events:
        length = len(line(event))
        if together and size + length > _BYTES_PER_RECORD:
            yield together
            together, size = [], 0
        together.append(event)
        size += length
    if together:
        yield together
