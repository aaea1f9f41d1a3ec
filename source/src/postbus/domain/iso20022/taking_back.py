"""How a transfer is taken back in the pipeline: by an outcome that keeps it from being booked, if first.

One whose record was never written is voided too: should the record be written later, it finds its outcome.
"""

from datetime import datetime

from postbus.domain import release
from postbus.domain.errors import InvariantBroken
from postbus.domain.event import Event
from postbus.domain.inbound import credit_transfers
from postbus.domain.iso20022 import progress
from postbus.domain.iso20022.workflow import Child, ChildState, Decision, DecisionKind, Finished
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import Outcome
from postbus.domain.release import Command

_WHY: dict[DecisionKind, str] = {
    DecisionKind.CANCELLATION: "the message it came in is cancelled",
    DecisionKind.REJECTION: "the message it came in is rejected",
    DecisionKind.TIME_OUT: "the time of the message it came in is over",
}


def voiding(child: Child, standing: Outcome | None, decision: Decision, at: datetime) -> Outcome:
    """The outcome that takes a transfer back, for ``Outcomes.decide``.

    Args:
        child: one with a record.
        standing: its outcome now.
        decision: one that ends transfers.
    Raises:
        InvariantBroken: the transfer has no record.
    """
    # Whose decision it was stands beside the transaction; an event names no client.
    command = Command(operator=f"iso20022 {decision.kind}", reason=_WHY[decision.kind], at=at)
    if standing is not None and standing.state in (OutcomeState.HELD, OutcomeState.RELEASED):
        return release.cancel(standing.announcement(), command)
    if child.record is None or child.pipeline_id is None:
        raise InvariantBroken(f"transfer {child.number} has no record, so nothing can be taken back")
    transaction = credit_transfers.to_transaction(child.record)
    # The event its record leads to, so that both stand in one story.
    first = Event.first(
        "TransactionAuthorized",
        child.pipeline_id,
        f"record:{transaction.content_hash}",
        at,
        {"transaction": transaction.to_data()},
    )
    return release.cancel(first, command)


def finished_unseen(child: Child, outcome: Outcome | None) -> Finished | None:
    """The final state of a transfer of which a reversal was told before it came; ``None`` if it goes on.

    Args:
        outcome: what is kept under its id now.
    """
    if child.record is None or outcome is None:
        return None
    transaction = credit_transfers.to_transaction(child.record)
    return finished_by(child, outcome) if outcome.concerns(transaction.to_data()) else None


def finished_by(child: Child, outcome: Outcome) -> Finished | None:
    """The final state of a transfer by its outcome; ``None`` for one that is not decided, or being sent."""
    ended = progress.ended(outcome.event_type, outcome.data)
    if ended is None:
        return None
    settled_at = outcome.decided_at if ended.state is ChildState.POSTED else None
    return Finished(number=child.number, state=ended.state, reasons=ended.reasons, settled_at=settled_at)
