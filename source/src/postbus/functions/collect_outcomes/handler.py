"""Keep what became of each transfer in the pipeline; whoever counts off the last one asks for the release.

TransactionPosted | TransactionRejected | TransactionPostingFailed | TransactionVoided | TransactionHeld v1
    ->  a transfer's state, and the step ``release``

Transactions of other origin are let go by.  What is told again, by a redelivery or a replay, changes nothing.
What a reversal voided before anybody had seen it ends only a transfer that the reversal fits: one that it
names by mistake is booked like any other.  Which of the two it is, its outcome tells.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postbus.domain.event import Event
from postbus.domain.iso20022 import progress
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import ChildState, Finished, Next, StepName, child_of
from postbus.domain.outcome import Outcome
from postbus.domain.steps import Emit, Result, Step
from postbus.ports import Clock, Outcomes
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.entry import queue_function
from postbus.runtime.steps import send_step

if TYPE_CHECKING:
    from postbus.runtime.config import Config


def build(store: MessageStore, steps: Steps, outcomes: Outcomes, clock: Clock) -> Step:
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
            elif (one := end_of(event, transaction_id, number)) is not None:
                finished.setdefault(transaction_id, []).append(one)
        # Those of one message are counted off together: all of them meet at its head.
        for transaction_id, children in finished.items():
            if store.finish_children(transaction_id, children) == 0:
                ask_for_release(transaction_id)
        return [Emit(())] * len(events)

    def end_of(event: Event, transaction_id: str, number: int) -> Finished | None:
        """What an event says of a transfer's end, if it does."""
        if Outcome.names_unseen(event.data):
            return end_of_unseen(event.transaction_id, transaction_id, number)
        ended = progress.ended(event.type, event.data)
        if ended is None:
            return None
        settled_at = event.occurred_at if ended.state is ChildState.POSTED else None
        return Finished(number=number, state=ended.state, reasons=ended.reasons, settled_at=settled_at)

    def end_of_unseen(pipeline_id: str, transaction_id: str, number: int) -> Finished | None:
        # Rare, so that the others need not read records.
        from postbus.domain.iso20022 import taking_back

        child = store.child(transaction_id, number)
        # Of what is not kept yet the ledger tells again, should it ever come there.
        return None if child is None else taking_back.finished_unseen(child, outcomes.find(pipeline_id))

    def ask_for_release(transaction_id: str) -> None:
        head = store.head(transaction_id)
        if head is not None and head.status not in FINAL:
            send_step(transaction_id, Next(StepName.RELEASE), store, steps, clock)

    return collect


def bind(config: "Config") -> Step:
    from postbus.adapters.dynamodb_iso20022 import DynamoDbMessages
    from postbus.adapters.dynamodb_outcomes import DynamoDbOutcomes
    from postbus.adapters.sqs_steps import SqsSteps, queue_urls
    from postbus.runtime.clients import client, now

    dynamodb = client("dynamodb")
    return build(
        DynamoDbMessages(dynamodb, config.text("ISO20022_TABLE")),
        SqsSteps(client("sqs"), queue_urls(config.text("STEP_QUEUE_URLS"))),
        DynamoDbOutcomes(dynamodb, config.text("LEDGER_TABLE")),
        now,
    )


lambda_handler = queue_function(bind)
