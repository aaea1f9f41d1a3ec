"""Keep every event of every transaction.

every event  ->  nothing; the timeline of its transaction

It is also the sample of a processor: a rule, a queue, and a step that takes a batch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit, Result, Step
from postbus.ports import Timeline
from postbus.runtime.entry import queue_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(timeline: Timeline) -> Step:
    """Bind the step to its port."""

    def record(events: Sequence[Event]) -> Sequence[Result]:
        refused = timeline.record(events)
        return [Defer(refused[event.event_id]) if event.event_id in refused else Emit(()) for event in events]

    return record


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
    from postbus.runtime.clients import client

    return build(DynamoDbTimeline(client("dynamodb"), config.text("TIMELINE_TABLE")))


lambda_handler = queue_function(bind)
