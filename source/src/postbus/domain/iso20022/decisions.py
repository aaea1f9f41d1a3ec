"""What was decided about a transaction from outside: who may decide what, and which transfers it concerns."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.status import FINAL, Actor, may_move
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Entry, Head

# What a decision that ends transfers makes of a transaction none of whose transfers is booked.
ENDS_AS: dict[DecisionKind, Status] = {
    DecisionKind.CANCELLATION: Status.CANC,
    DecisionKind.REJECTION: Status.RJCT,
    DecisionKind.TIME_OUT: Status.RJCT,
}

# Who decides when nobody does.
CLOCK = "clock"


class Verdict(StrEnum):
    """What came of a decision.

    CARRIED_OUT: it stands, and covers whatever could still be taken back, or lets the transaction go on.
    REFUSED: whoever decided may not, not now, or has been forestalled by the same decision.
    TOO_LATE: the transaction had ended before.
    """

    CARRIED_OUT = "carried_out"
    REFUSED = "refused"
    TOO_LATE = "too_late"


def actor_of(decision: Decision, head: Head) -> Actor:
    """Who decides: the transaction's client, the clock, and anybody else is an operator."""
    if decision.kind is DecisionKind.TIME_OUT:
        return Actor.TIME_OUT
    if decision.kind is DecisionKind.CLEARANCE:
        return Actor.OPERATOR
    return Actor.CLIENT if decision.by == head.owner else Actor.OPERATOR


def is_allowed(decision: Decision, head: Head) -> bool:
    """Whether the table lets whoever decides bring about what the decision wants, as the transaction stands.

    A time-out never comes early, and a deadline that was set anew is another one.
    """
    if decision.kind is DecisionKind.TIME_OUT and head.deadline > decision.at:
        return False
    if decision.kind is DecisionKind.CLEARANCE and decision.by == head.owner:
        return False
    wanted = ENDS_AS.get(decision.kind, Status.ACSP)
    return may_move(head.status, wanted, actor_of(decision, head), head.reasons)


def due_at(head: Head, history: Sequence[Entry]) -> datetime:
    """From when on it may be timed out: what was held has all its time again once it was let go on."""
    was_held = any(entry.status is Status.PDNG for entry in history)
    if head.status is not Status.ACSP or not was_held:
        return head.deadline
    return max(head.deadline, history[-1].at + (head.deadline - head.opened_at))


def is_forestalled(decision: Decision, standing: Collection[Decision]) -> bool:
    """Whether decisions that stand already end every transfer this one would end."""
    if decision.kind not in ENDS_AS:
        return False
    if any(not one.numbers for one in standing):
        return True
    ended = {number for one in standing for number in one.numbers}
    return bool(decision.numbers) and ended.issuperset(decision.numbers)


def verdict_on(decision: Decision, head: Head, standing: Collection[Decision]) -> Verdict:
    """What comes of a decision.

    Args:
        standing: the decisions that end transfers and were carried out before.
    """
    if head.status in FINAL:
        return Verdict.TOO_LATE
    if is_forestalled(decision, standing) or not is_allowed(decision, head):
        return Verdict.REFUSED
    return Verdict.CARRIED_OUT


def ending(decisions: Iterable[Decision], head: Head) -> tuple[Decision, ...]:
    """Those that end transfers and stand, the earliest first."""
    return tuple(
        one
        for one in decisions
        if one.kind in ENDS_AS
        and one.verdict == Verdict.CARRIED_OUT
        # A message that came after all has a time of its own.
        and (one.kind is not DecisionKind.TIME_OUT or head.deadline <= one.at)
    )


def covering(number: int, standing: Iterable[Decision]) -> Decision | None:
    """The decision that ends a transfer: the first that concerns it."""
    return next((one for one in standing if not one.numbers or number in one.numbers), None)
