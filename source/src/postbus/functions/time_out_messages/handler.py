"""See that no transaction stays open: time out what is overdue, and send again what nobody took.

schedule  ->  the step ``decide`` for what is overdue, once in a while any step that stands still

Only the decision is kept here; the step carries it out, voids first, so what was booked is never timed out.
What is on the list may have ended or been given more time: the head is read before anything is decided.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from postbus.domain.iso20022 import decisions
from postbus.domain.iso20022.client_requests import step_to_redrive
from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Head, Next, StepName
from postbus.ports import Clock
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.entry import request_function
from postbus.runtime.logging import logger
from postbus.runtime.steps import send_step

if TYPE_CHECKING:
    from postbus.runtime.config import Config

_One = TypeVar("_One")

# What one look sends at most, and how long it takes at most; the next one, seconds later, goes on.
_MOST_SENT = 500
_LONGEST_LOOK = timedelta(seconds=10)

# Of the looks of a minute, the one that also looks for what stands still.
_THOROUGH = 0
_LONGEST_THOROUGH_LOOK = timedelta(seconds=25)


def build(
    store: MessageStore, steps: Steps, clock: Clock, after: timedelta
) -> Callable[[Any], dict[str, int]]:
    """Bind the step to its ports.

    Args:
        after: how long a step may stand still before it is sent again.
    Returns:
        A function of ``{"tick": <number>}`` that looks once and answers with counts: what was overdue and
        decided now, and which steps were sent again.
    """

    def look(schedule: Any) -> dict[str, int]:
        began = clock()
        counts = {"timed_out": 0, "sent_again": 0}
        for transaction_id in until(store.overdue(began), began + _LONGEST_LOOK):
            counts["timed_out"] += time_out(transaction_id)
            if counts["timed_out"] >= _MOST_SENT:
                break
        if isinstance(schedule, dict) and schedule.get("tick", _THOROUGH) == _THOROUGH:
            for head in until(store.unfinished(), clock() + _LONGEST_THOROUGH_LOOK):
                counts["sent_again"] += send_again(head)
                if counts["sent_again"] >= _MOST_SENT:
                    break
        logger().info("looked for what is overdue", extra=counts)
        return counts

    def until(found: Iterator[_One], end: datetime) -> Iterator[_One]:
        for one in found:
            if clock() > end:
                logger().warning("the next look goes on")
                return
            yield one

    def time_out(transaction_id: str) -> bool:
        """Whether it was decided now that a transaction's time is over."""
        head, now = store.head(transaction_id), clock()
        if head is None or head.due is None or head.due > now:
            return False
        wanted = Decision(
            # For each deadline one: what was given more time has another.
            key=f"{DecisionKind.TIME_OUT}.{int(head.due.timestamp())}",
            kind=DecisionKind.TIME_OUT,
            by=decisions.CLOCK,
            at=now,
        )
        if not decisions.is_allowed(wanted, head):
            return False
        standing = store.decide(transaction_id, wanted)
        if standing.verdict is not None:
            # What is open still, such as a transfer that is being sent, the clock ends no more.
            store.timed_out(transaction_id, head.due)
            return False
        send_step(transaction_id, Next(StepName.DECIDE, again=standing == wanted), store, steps, clock)
        return standing == wanted

    def send_again(head: Head) -> bool:
        """Whether a step was sent again of a transaction in which nothing has moved for a while."""
        now = clock()
        moved = [record.taken_at or record.sent_at for record in head.steps.values()]
        if now - max([head.opened_at, *moved]) < after:
            return False
        step = step_to_redrive(head, store.decisions(head.transaction_id))
        waits = head.status is Status.PDNG or decisions.is_being_asked(head)
        is_late = not waits and (head.due is None or head.due <= now)
        if step is StepName.PROCESS and is_late and StepName.DECIDE in head.steps:
            # Its time is over, and what is open was not taken back: its outcomes are looked at once more.
            step = StepName.DECIDE
        record = None if step is None else head.steps.get(step)
        if step is None or (record is not None and record.parked is not None):
            # What is parked an operator must look at first; its time is over all the same one day.
            return False
        taken = record is not None and record.taken_at is not None
        send_step(head.transaction_id, Next(step, again=taken), store, steps, clock)
        return True

    return look


def bind(config: "Config") -> Callable[[Any], dict[str, int]]:
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.runtime.clients import client, now

    return build(
        DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE")),
        SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS"))),
        now,
        timedelta(seconds=config.integer("SEND_AGAIN_AFTER_SECONDS", 600)),
    )


lambda_handler = request_function(bind)
