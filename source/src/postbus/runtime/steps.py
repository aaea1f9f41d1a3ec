"""A batch from a step's FIFO queue through the step, in the order of each transaction, and on to the next."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postbus.domain.errors import InvariantBroken, Malformed
from postbus.domain.iso20022.workflow import Next, Step, StepCall, StepName, StepResult, Took
from postbus.domain.steps import Defer, Park
from postbus.ports import Clock
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.logging import logger
from postbus.runtime.queue import SURPRISES, Fail, Queue, Surprises, body_of, put_away, verdict_on

Verdict = StepResult | Fail


def process_steps(
    records: Sequence[Mapping[str, Any]],
    own: StepName,
    step: Step,
    store: MessageStore,
    steps: Steps,
    queue: Queue,
    clock: Clock,
    jitter: Callable[[], float] = random.random,
    surprises: Surprises = SURPRISES,
) -> dict[str, list[dict[str, str]]]:
    """Run a batch of SQS records of a step's queue through the step, one by one.

    A message is done when what follows from it was recorded and sent, or when it was parked.  Once one of a
    group comes back, the rest of its group comes back behind it, untouched.

    Args:
        own: the step this queue belongs to.
    Returns:
        The Lambda partial-batch response, ``{"batchItemFailures": [{"itemIdentifier": ...}]}``.
    """
    began = time.monotonic()
    waiting: dict[str, Defer | Fail] = {}
    failures, counts = [], Counter[str]()
    for record in records:
        group = _group(record)
        verdict: Verdict = waiting.get(group) or _run(record, own, step, store, steps, clock, surprises)
        counts[type(verdict).__name__.lower()] += 1
        if isinstance(verdict, Took | Next) or put_away(record, verdict, queue, jitter):
            continue
        failures.append({"itemIdentifier": str(record["messageId"])})
        waiting.setdefault(group, verdict if isinstance(verdict, Defer) else Fail("behind one that failed"))
    took = {"milliseconds": round((time.monotonic() - began) * 1000)}
    logger().info("batch", extra={"messages": len(records), "failed": len(failures), **counts, **took})
    return {"batchItemFailures": failures}


def _group(record: Mapping[str, Any]) -> str:
    return str(record.get("attributes", {}).get("MessageGroupId", record["messageId"]))


def _run(
    record: Mapping[str, Any],
    own: StepName,
    step: Step,
    store: MessageStore,
    steps: Steps,
    clock: Clock,
    surprises: Surprises,
) -> Verdict:
    try:
        call = StepCall.from_data(body_of(record))
    except Malformed as error:
        return Park(str(error))
    try:
        verdict = _take(call, own, step, store, steps, clock)
    except Exception as error:  # noqa: BLE001 - sorted by who must act
        verdict = verdict_on(error, record, surprises)
    if not isinstance(verdict, Park):
        return verdict
    try:
        # Before it leaves the queue: an operator who looks for the transaction must find out why it stands.
        store.step_parked(call.transaction_id, call.step, call.attempt, verdict.reason)
    except Exception as error:  # noqa: BLE001 - sorted as above: its neighbours are done
        return verdict_on(error, record, surprises)
    return verdict


def _take(
    call: StepCall, own: StepName, step: Step, store: MessageStore, steps: Steps, clock: Clock
) -> Verdict:
    if call.step is not own:
        raise Malformed("step", f"{own}, whose queue this is")
    store.step_taken(call.transaction_id, call.step, call.attempt, clock())
    result = step(call)
    if isinstance(result, Next):
        send_step(call.transaction_id, result, store, steps, clock)
    return result


def send_step(transaction_id: str, following: Next, store: MessageStore, steps: Steps, clock: Clock) -> None:
    """Send a step unless it was taken already: first recorded, then queued, so that a repeat sends it again.

    Raises:
        InvariantBroken: there is no such transaction.
        Unavailable: it may have been recorded or queued; ask again.
    """
    head = store.head(transaction_id)
    if head is None:
        raise InvariantBroken(f"transaction {transaction_id} is not there")
    attempt = store.step_sent(head, following.step, clock(), following.again)
    if attempt is not None:
        steps.send(transaction_id, following.step, attempt)
