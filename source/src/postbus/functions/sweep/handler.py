"""Find what got stuck on its way, and send its last event again.

schedule  ->  the last event of each transaction that is neither final nor held and has not moved for a while;
              the announcements of operators' decisions that were not confirmed; metrics of what is open

A workflow execution can die without a trace, a command be killed between its decision and the announcement:
this is what brings the payment on, without anybody having noticed.  Sending again is always safe.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from postbus.domain.event import Event
from postbus.domain.lifecycle import FINAL_OUTCOMES, OutcomeState, State
from postbus.domain.outcome import Outcome
from postbus.domain.release import announcements
from postbus.domain.timeline import LONGEST_PAUSE, Sent, Story, next_sweep
from postbus.ports import Clock, EventBus, Metrics, OpenTransaction, Outcomes, Timeline
from postbus.runtime.entry import request_function
from postbus.runtime.logging import logger

if TYPE_CHECKING:
    from postbus.runtime.config import Config

# What one run does at most; the list is ordered by who waits longest, so the next run goes on where it ended.
_MOST_LOOKS = 2_000
_LONGEST_RUN = timedelta(seconds=120)
_EVENTS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class _Stuck:
    """A transaction whose events are due to be sent again."""

    listed: OpenTransaction
    seen: datetime | None
    events: tuple[Event, ...]
    moved_at: datetime


def build(
    timeline: Timeline,
    outcomes: Outcomes,
    bus: EventBus,
    metrics: Metrics,
    clock: Clock,
    after: timedelta,
) -> Callable[[Any], dict[str, int]]:
    """Bind the step to its ports.

    Args:
        after: how long a transaction may stand still before its last event is sent again.
    Returns:
        A function that makes one run and answers with counts: what it looked at, sent, closed, announced.
    """

    def sweep(_schedule: Any) -> dict[str, int]:
        began = clock()
        counts = {"announced": sum(_announced(outcome) for outcome in outcomes.unannounced())}
        counts |= {"looked": 0, "sent": 0, "closed": 0}
        for group in _groups(islice(candidates(began), _MOST_LOOKS)):
            if clock() - began > _LONGEST_RUN:
                logger().warning("the sweep goes on with the next run")
                break
            counts["looked"] += len(group)
            stuck = [found for one in group if (found := look(one, began, counts)) is not None]
            counts["sent"] += send(stuck)
        report(began)
        logger().info("swept", extra=counts)
        return counts

    def candidates(began: datetime) -> Iterator[str]:
        released = (outcome for outcome in outcomes.in_state(OutcomeState.RELEASED))
        quiet = (one.transaction_id for one in released if one.decided_at <= began - after)
        # A release that the list does not know of, for its events were lost, is found by its outcome.
        return _once(chain(timeline.idle(began - after), quiet))

    def look(transaction_id: str, began: datetime, counts: dict[str, int]) -> _Stuck | None:
        """What is to be sent for it, if it is due; otherwise its place on the list is put right."""
        told = timeline.story(transaction_id)
        story = told.own
        standing = None if story.is_final else outcomes.find(transaction_id)
        if standing is not None and not standing.concerns(story.transaction):
            standing = None
        if story.is_final or _is_told(standing, told):
            timeline.close(transaction_id)
            counts["closed"] += 1
            return None
        moved_at = story.moved_at or (standing.decided_at if standing else None)
        if moved_at is None:
            return None
        listed = OpenTransaction(transaction_id, story.state or State.RELEASED, story.began_at or moved_at)
        events = _to_send(story, standing)
        if not events:
            if story.idle_since is not None:
                timeline.look_again(listed, story.idle_since, began + LONGEST_PAUSE)
            return None
        due = next_sweep(moved_at, events[-1].event_id, story.sent, after)
        if due > began:
            if story.idle_since is not None:
                timeline.look_again(listed, story.idle_since, due - after)
            return None
        return _Stuck(listed, story.idle_since, events, moved_at)

    def send(stuck: Sequence[_Stuck]) -> int:
        """Send first and remember after: what is forgotten in between is only sent once more."""
        refused = bus.publish([event for one in stuck for event in one.events]) if stuck else {}
        sent = 0
        for one in stuck:
            if refused.keys() & {event.event_id for event in one.events}:
                continue
            mark = Sent(one.events[-1].event_id, clock())
            timeline.sent_again(one.listed.transaction_id, mark)
            if one.seen is not None:
                due = next_sweep(one.moved_at, mark.event_id, mark, after)
                timeline.look_again(one.listed, one.seen, due - after)
            sent += 1
        return sent

    def _announced(outcome: Outcome) -> bool:
        if bus.publish(announcements(outcome)):
            return False
        outcomes.announced(outcome)
        return True

    def report(now: datetime) -> None:
        held = moving = 0
        oldest = oldest_held = now
        for one in timeline.open():
            if one.state is State.HELD:
                held += 1
                oldest_held = min(oldest_held, one.since)
            else:
                moving += 1
                oldest = min(oldest, one.since)
        metrics.publish("OldestOpenSeconds", (now - oldest).total_seconds())
        metrics.publish("OpenTransactions", moving)
        metrics.publish("HeldTransactions", held)
        metrics.publish("OldestHeldSeconds", (now - oldest_held).total_seconds())

    return sweep


def _is_told(standing: Outcome | None, story: Story) -> bool:
    """Whether it was decided for good and the story has it, perhaps from a reversal that came first."""
    if standing is None or standing.state not in FINAL_OUTCOMES:
        return False
    return standing.announcement().event_id in {event.event_id for event in story.events}


def _to_send(story: Story, standing: Outcome | None) -> tuple[Event, ...]:
    """What brings it on: the outcome if there is one, for it was decided; otherwise the last event."""
    if story.state is State.HELD and (standing is None or standing.state is OutcomeState.HELD):
        return ()
    if standing is not None:
        return announcements(standing)
    return () if story.last is None else (story.last,)


def _once(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for one in ids:
        if one not in seen:
            seen.add(one)
            yield one


def _groups(ids: Iterator[str]) -> Iterator[list[str]]:
    while group := list(islice(ids, _EVENTS_AT_ONCE)):
        yield group


def bind(config: "Config") -> Callable[[Any], dict[str, int]]:
    from postbus.adapters.cloudwatch_metrics import CloudWatchMetrics
    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.dynamodb_timeline import DynamoDbTimeline
    from postbus.adapters.eventbridge_bus import EventBridgeBus
    from postbus.runtime.clients import client, now

    dynamodb = client("dynamodb")
    return build(
        DynamoDbTimeline(dynamodb, config.text("TIMELINE_TABLE")),
        DynamoDbOutcomes(dynamodb, config.text("LEDGER_TABLE")),
        EventBridgeBus(client("events"), config.text("BUS")),
        CloudWatchMetrics(client("cloudwatch"), config.text("METRICS_NAMESPACE", "Postbus"), "sweep"),
        now,
        timedelta(seconds=config.integer("SWEEP_AFTER_SECONDS", 300)),
    )


lambda_handler = request_function(bind)
