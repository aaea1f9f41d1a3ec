"""What the bus is given of a batch."""

import itertools
import json
from typing import Any

import pytest

from postbus.adapters.eventbridge_bus import EventBridgeBus
from tests.fakes.approvals import approval

pytestmark = pytest.mark.component


class Client:
    """PutEvents that takes everything."""

    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.details += [json.loads(entry["Detail"]) for entry in Entries]
        return {"Entries": [{"EventId": str(number)} for number, _ in enumerate(Entries)]}


@pytest.mark.parametrize("order", list(itertools.permutations([None, "july", "august"])))
def test_of_an_event_told_as_news_and_in_replays_the_news_is_sent(order: tuple[str | None, ...]) -> None:
    client: Any = Client()
    bus = EventBridgeBus(client, "bus")
    assert bus.publish([approval("A1", replay=replay) for replay in order]) == {}
    [detail] = client.details
    assert "replay" not in detail["metadata"]


def test_an_event_told_in_replays_only_is_sent_once_and_marked() -> None:
    client: Any = Client()
    EventBridgeBus(client, "bus").publish([approval("A1", replay="july"), approval("A1", replay="july")])
    [detail] = client.details
    assert detail["metadata"]["replay"] == "july"
