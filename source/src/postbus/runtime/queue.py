"""A batch from a queue through a step, and every message to where it belongs afterwards."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.domain.event import Event
from postbus.domain.steps import Defer, Emit, Park, Result, Step
from postbus.ports import EventBus
from postbus.runtime.logging import log_unexpected, logger

# Deferral doubles up to this: SQS takes visibility up to 12 hours, but an outage that ends should be noticed
# within a quarter of an hour.
_LONGEST_DEFERRAL_SECONDS = 900
_FIRST_DEFERRAL_SECONDS = 2

# An error nobody foresaw is met this often, for it may pass, and then the message is parked.
_UNEXPECTED_TRIES = 5
_MOST_REMEMBERED = 10_000


class Surprises:
    """How often an error nobody foresaw met each message, as far as this process remembers.

    The queue's receive count is no measure of it: deferrals count there as well, and a message that waited
    for a dependency would be parked at its first surprise.  A process that ends forgets, and another one
    starts anew: then there are more tries than meant, never fewer, and at most as many as the queue allows.
    """

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def meet(self, message_id: str) -> int:
        """Count one more; how many there are now."""
        count = self._met.pop(message_id, 0) + 1
        if len(self._met) >= _MOST_REMEMBERED:
            del self._met[next(iter(self._met))]
        self._met[message_id] = count
        return count


# Of this process: whichever step meets them, a message's id is its own.
SURPRISES = Surprises()

T = TypeVar("T")


class Queue(Protocol):
    """What a function may do to a message of its own queue besides finishing it."""

    def defer(self, seconds: Mapping[str, int]) -> None:
        """Let messages, by receipt handle, come back after so many seconds each."""
        ...

    def park(self, message: Mapping[str, Any], reason: str) -> None:
        """Put the message, whole, into the dead-letter queue with its reason."""
        ...


@dataclass(frozen=True, slots=True)
class Fail:
    """Leave the message to the queue's own retry."""

    reason: str


# What becomes of the message with this place in its batch, whose step raised.
Sort = Callable[[int, Exception], Defer | Park | Fail]


def deferral_seconds(receive_count: int, jitter: float) -> int:
    """How long a message waits that was received so often: exponential, jittered, at most 15 minutes.

    Args:
        receive_count: 1 at the first delivery.
        jitter: uniform in [0, 1).
    """
    # The exponent is capped before the power: a count of thousands must not build a huge integer.
    ceiling = min(_LONGEST_DEFERRAL_SECONDS, _FIRST_DEFERRAL_SECONDS * 2 ** min(receive_count - 1, 10))
    return max(1, int(ceiling * (0.5 + jitter / 2)))


def process(
    records: Sequence[Mapping[str, Any]],
    step: Step,
    bus: EventBus,
    queue: Queue,
    jitter: Callable[[], float] = random.random,
    surprises: Surprises = SURPRISES,
) -> dict[str, list[dict[str, str]]]:
    """Run a batch of SQS records through a step.

    A message succeeds only when everything its step announced was accepted by the bus, or when it was
    parked.  One message's fault never touches its neighbours.

    Returns:
        The Lambda partial-batch response, ``{"batchItemFailures": [{"itemIdentifier": ...}]}``.
    """
    began = time.monotonic()
    verdicts: dict[int, Result | Fail] = {}
    events: dict[int, Event] = {}
    for index, record in enumerate(records):
        try:
            events[index] = Event.from_bus(body_of(record))
        except Malformed as error:
            verdicts[index] = Park(str(error))

    def sort(index: int, error: Exception) -> Defer | Park | Fail:
        return verdict_on(error, records[index], surprises)

    verdicts |= _run(step, events, sort)
    verdicts |= _publish(bus, verdicts, sort)
    failures = _put_away_all(
        [(record, verdicts[index]) for index, record in enumerate(records)], queue, jitter
    )
    counts = Counter(type(verdict).__name__.lower() for verdict in verdicts.values())
    took = {"milliseconds": round((time.monotonic() - began) * 1000)}
    logger().info("batch", extra={"messages": len(records), "failed": len(failures), **counts, **took})
    return {"batchItemFailures": failures}


def process_each(
    records: Sequence[Mapping[str, Any]],
    step: Callable[[Any], None],
    queue: Queue,
    jitter: Callable[[], float] = random.random,
) -> dict[str, list[dict[str, str]]]:
    """Run a batch of SQS records whose bodies are JSON, but no events, through a step, one by one.

    A message succeeds when its step returns, or when it was parked; an error is sorted as in ``process``.

    Returns:
        The Lambda partial-batch response.
    """
    began = time.monotonic()
    verdicts = [_run_one(step, record) for record in records]
    failures = _put_away_all(list(zip(records, verdicts, strict=True)), queue, jitter)
    took = {"milliseconds": round((time.monotonic() - began) * 1000)}
    logger().info("batch", extra={"messages": len(records), "failed": len(failures), **took})
    return {"batchItemFailures": failures}


def _run_one(step: Callable[[Any], None], record: Mapping[str, Any]) -> Result | Fail:
    try:
        step(body_of(record))
    except Exception as error:  # noqa: BLE001 - sorted by who must act
        return verdict_on(error, record)
    return Emit(())


def body_of(record: Mapping[str, Any]) -> Any:
    """A record's body, which is JSON; raises Malformed."""
    try:
        return json.loads(record["body"])
    except ValueError:
        raise Malformed("body", "JSON") from None


def receive_count(record: Mapping[str, Any]) -> int:
    """How often the queue has handed it out, 1 the first time."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _run(step: Step, events: Mapping[int, Event], sort: Sort) -> dict[int, Result | Fail]:
    """The step's results by index.  A batch that raises is taken apart, so that only the culprit fails."""
    if not events:
        return {}
    try:
        results = step(list(events.values()))
    except Exception as error:  # noqa: BLE001 - sorted below, by who must act; nothing goes on as if it had worked
        if len(events) > 1 and not isinstance(error, Unavailable):
            half, rest = _halves(events)
            return _run(step, half, sort) | _run(step, rest, sort)
        return {index: sort(index, error) for index in events}
    if len(results) != len(events):
        raise InvariantBroken(f"{len(results)} results for {len(events)} events")
    return dict(zip(events, results, strict=True))


def verdict_on(
    error: Exception, record: Mapping[str, Any], surprises: Surprises = SURPRISES
) -> Defer | Park | Fail:
    """What becomes of a message whose step raised, by who must act."""
    match error:
        case Unavailable() | OutcomeUnknown():
            return Defer(str(error))
        case Malformed() | InvariantBroken():
            return Park(f"{type(error).__name__}: {error}")
        case _ if (tries := surprises.meet(str(record["messageId"]))) >= _UNEXPECTED_TRIES:
            return Park(f"{type(error).__name__} after {tries} tries")
        case _:
            log_unexpected(error)
            return Fail(type(error).__name__)


def _publish(bus: EventBus, verdicts: Mapping[int, Result | Fail], sort: Sort) -> dict[int, Result | Fail]:
    """Announce everything; the messages that must come back because the bus refused theirs."""
    emitted = {
        index: verdict for index, verdict in verdicts.items() if isinstance(verdict, Emit) and verdict.events
    }
    if not emitted:
        return {}
    try:
        refused = bus.publish([event for verdict in emitted.values() for event in verdict.events])
    except Exception as error:  # noqa: BLE001 - as in _run: an entry the bus chokes on fails its own message only
        if len(emitted) > 1 and not isinstance(error, Unavailable):
            half, rest = _halves(emitted)
            return _publish(bus, half, sort) | _publish(bus, rest, sort)
        return {index: sort(index, error) for index in emitted}
    return {
        index: Defer(f"the bus refused an event: {refused[event.event_id]}")
        for index, verdict in emitted.items()
        for event in verdict.events
        if event.event_id in refused
    }


def _halves(batch: Mapping[int, T]) -> tuple[dict[int, T], dict[int, T]]:
    """One culprit among a thousand is found in twenty calls, where one by one they would be a thousand."""
    members = list(batch.items())
    middle = len(members) // 2
    return dict(members[:middle]), dict(members[middle:])


def _put_away_all(
    sorted_out: Sequence[tuple[Mapping[str, Any], Result | Fail]],
    queue: Queue,
    jitter: Callable[[], float],
) -> list[dict[str, str]]:
    """Put every message where it belongs, the deferred ones together; those the queue may not forget."""
    failures = []
    waits: dict[str, int] = {}
    for record, verdict in sorted_out:
        if isinstance(verdict, Defer):
            waits[record["receiptHandle"]] = _wait(record, verdict, jitter)
        elif put_away(record, verdict, queue, jitter):
            continue
        failures.append({"itemIdentifier": str(record["messageId"])})
    _defer(queue, waits)
    return failures


def put_away(
    record: Mapping[str, Any], verdict: Result | Fail, queue: Queue, jitter: Callable[[], float]
) -> bool:
    """Put the message where it belongs; whether the queue may forget it."""
    identifiers = {"message_id": record["messageId"]}
    match verdict:
        case Emit():
            return True
        case Park(reason):
            try:
                queue.park(record, reason)
            except Unavailable as error:
                logger().warning("not parked", extra={**identifiers, "reason": str(error)})
                return False
            except Exception as error:  # noqa: BLE001 - told; the queue keeps it, and its neighbours are done
                log_unexpected(error)
                return False
            logger().error("parked", extra={**identifiers, "reason": reason})
            return True
        case Defer() as deferral:
            _defer(queue, {record["receiptHandle"]: _wait(record, deferral, jitter)})
            return False
        case Fail():
            return False


def _wait(record: Mapping[str, Any], deferral: Defer, jitter: Callable[[], float]) -> int:
    seconds = deferral_seconds(receive_count(record), jitter())
    told = {"message_id": record["messageId"], "reason": deferral.reason, "seconds": seconds}
    logger().warning("deferred", extra=told)
    return seconds


def _defer(queue: Queue, waits: Mapping[str, int]) -> None:
    if not waits:
        return
    # Where the queue does not take it, its own visibility time-out brings the message back instead.  Nothing
    # may be raised from here: the whole batch would come back, with what is done and what is parked.
    try:
        queue.defer(waits)
    except Unavailable as error:
        logger().warning("not deferred", extra={"messages": len(waits), "reason": str(error)})
    except Exception as error:  # noqa: BLE001 - told; the messages come back all the same
        log_unexpected(error)
