"""Decisions about a client's transaction, on their way to the step that carries them out."""

from collections.abc import Iterable

from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import Decision, Head, Next, StepName, answer_to
from postbus.ports import Clock
from postbus.ports_iso20022 import MessageStore, Steps
from postbus.runtime.steps import send_step


def send_decide(transaction_id: str, store: MessageStore, steps: Steps, clock: Clock) -> None:
    """Have a decision carried out that was kept just now, or before and not carried out yet.

    Raises:
        InvariantBroken: there is no such transaction.
        Unavailable: it may have been recorded or queued; ask again.
    """
    send_step(transaction_id, _anew(StepName.DECIDE, store.head(transaction_id)), store, steps, clock)


def send_answered(
    transaction_id: str, decided: Iterable[Decision], store: MessageStore, steps: Steps, clock: Clock
) -> None:
    """Have every camt.056 end whose cancellation of this transaction is answered for good.

    Args:
        decided: about the transaction; what has no verdict yet whoever gives it one sends.
    Raises:
        Unavailable: not all may have been sent; ask again.
    """
    ruled = [(one.request, answer_to(one.key)) for one in decided if one.request and one.verdict is not None]
    head = store.head(transaction_id) if ruled else None
    for request_id, name in ruled:
        if head is None or name not in head.documents:
            continue
        request = store.head(request_id)
        if request is not None and request.status not in FINAL:
            send_step(request_id, _anew(StepName.PROCESS, request), store, steps, clock)


def _anew(step: StepName, head: Head | None) -> Next:
    """One that was taken may have looked before what it is to find was kept; one that was not will see it."""
    last = head.steps.get(step) if head else None
    return Next(step, again=last is not None and last.taken_at is not None)
