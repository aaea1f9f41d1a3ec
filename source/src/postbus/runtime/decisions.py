"""Decisions about a client's transaction, on their way to the step that carries them out."""

from postbus.domain.iso20022.workflow import Next, StepName
from postbus.ports import Clock
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.steps import send_step


def send_decide(transaction_id: str, store: MessageStore, steps: Steps, clock: Clock) -> None:
    """Have a decision carried out that was kept just now, or before and not carried out yet.

    Raises:
        InvariantBroken: there is no such transaction.
        Unavailable: it may have been recorded or queued; ask again.
    """
    # One that was taken may have looked before the decision was kept; one that was not will see it.
    head = store.head(transaction_id)
    last = head.steps.get(StepName.DECIDE) if head else None
    again = last is not None and last.taken_at is not None
    send_step(transaction_id, Next(StepName.DECIDE, again=again), store, steps, clock)
