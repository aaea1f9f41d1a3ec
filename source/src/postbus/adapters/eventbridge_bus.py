"""The custom bus on EventBridge: a 200 from PutEvents is read entry by entry."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.domain.event import Event
from postbus.domain.lifecycle import FACTS

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

# The service's limit of entries in one call.
_ENTRIES_PER_CALL = 10


def entry(event: Event, bus_name: str) -> "PutEventsRequestEntryTypeDef":
    """One PutEvents entry, finished: whoever sends it, and however often, sends the same words."""
    return {
        "Source": FACTS[event.type].source,
        "DetailType": event.type,
        "Detail": event.to_json(),
        "EventBusName": bus_name,
    }


class EventBridgeBus:
    """Publishes to one custom bus."""

    def __init__(self, client: "EventBridgeClient", bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Send the events; the same event named twice is sent once, as news if it is that to anyone.

        Returns:
            The refused ones, ``{event_id: error code}``.
        Raises:
            Unavailable: the bus did not answer; any of the events may or may not have been accepted.
        """
        refused: dict[str, str] = {}
        # Of two tellings the unmarked one counts: the archive and subscribers do not hear the other.
        told = sorted(events, key=lambda event: event.replay is None)
        distinct = list({event.event_id: event for event in told}.values())
        for start in range(0, len(distinct), _ENTRIES_PER_CALL):
            chunk = distinct[start : start + _ENTRIES_PER_CALL]
            with answering("event bus"):
                answer = self._client.put_events(Entries=[entry(event, self._bus_name) for event in chunk])
            for event, verdict in zip(chunk, answer["Entries"], strict=True):
                if "EventId" not in verdict:
                    refused[event.event_id] = verdict.get("ErrorCode", "refused without a code")
        return refused
