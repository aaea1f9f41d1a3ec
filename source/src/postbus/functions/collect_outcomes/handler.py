"""Keep what became of each transfer in the pipeline; whoever counts off the last one asks for the release.

TransactionPosted | TransactionRejected | TransactionPostingFailed | TransactionVoided | TransactionHeld v1
    ->  a transfer's state, and the step ``release``

Transactions of other origin are let go by.  What is told again, by a redelivery or a replay, changes nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postbus.domain.event import Event
from postbus.domain.iso20022 import progress
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import ChildState, Finished, Next, StepName, child_of
from postbus.domain.steps import Emit, Result, Step
from postbus.ports import Clock
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.entry import queue_function
from postbus.runtime.steps import send_step

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(store: MessageStore, steps: Steps, clock: Clock) -> Step:
    """Bind the step to its ports."""

    def collect(events: Sequence[Event]) -> Sequence[Result]:
        finished: dict[str, list[Finished]] = {}
        for event in events:
            found = child_of(event.transaction_id)
            if found is None:
                continue
            transaction_id, number = found
            if event.type == "TransactionHeld":
                store.hold_child(transaction_id, number, event.occurred_at)
            elif (ended := progress.ended(event.type, event.data)) is not None:
                settled_at = event.occurred_at if ended.state is ChildState.POSTED else None
                one = Finished(number=number, state=ended.state, reasons=ended.reasons, settled_at=settled_at)
                finished.setdefault(transaction_id, []).append(one)
        # Those of one message are counted off together: all of them meet at its head.
        for transaction_id, children in finished.items():
            if store.finish_children(transaction_id, children) == 0:
                ask_for_release(transaction_id)
        return [Emit(())] * len(events)

    def ask_for_release(transaction_id: str) -> None:
        head = store.head(transaction_id)
        if head is not None and head.status not in FINAL:
            send_step(transaction_id, Next(StepName.RELEASE), store, steps, clock)

    return collect


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.runtime.clients import client, now

    return build(
        DynamoDbMessages(client("dynamodb"), config.text("ISO20022_TABLE")),
        SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS"))),
        now,
    )


lambda_handler = queue_function(bind)
