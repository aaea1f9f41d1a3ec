"""Carry every event to the audit stream, where the target's rules do not reach it by themselves.

every event of the bus  ->  a line in the audit bucket

An event may be written twice; its id says so to whoever reads the trail.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit, Result, Step
from postbus.runtime.entry import queue_function

if TYPE_CHECKING:
    from postbus.runtime.config import Config


class AuditTrail(Protocol):
    """Where events are kept for the auditors."""

    def write(self, events: Sequence[Event]) -> frozenset[str]:
        """Send the events; the ids of those that were refused."""
        ...


def build(trail: AuditTrail) -> Step:
    """Bind the step to its trail."""

    def forward(events: Sequence[Event]) -> Sequence[Result]:
        refused = trail.write(events)
        return [
            Defer("the audit stream refused it") if event.event_id in refused else Emit(())
            for event in events
        ]

    return forward


def bind(config: "Config") -> Step:
    from postbus.adapters.firehose_audit import FirehoseAudit
    from postbus.runtime.clients import client

    return build(FirehoseAudit(client("firehose"), config.text("AUDIT_STREAM")))


lambda_handler = queue_function(bind)
