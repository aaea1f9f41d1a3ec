"""What was decided about a transaction from outside: who may decide what, and which transfers it concerns."""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum

from postbus.domain.iso20022.messages import Status
from postbus.domain.iso20022.status import FINAL, Actor, is_regulatory, may_move
from postbus.domain.iso20022.workflow import Decision, DecisionKind, Head

# What a decision that ends transfers makes of a transaction none of whose transfers is booked.
ENDS_AS: dict[DecisionKind, Status] = {
    DecisionKind.CANCELLATION: Status.CANC,
    DecisionKind.REJECTION: Status.RJCT,
    DecisionKind.TIME_OUT: Status.RJCT,
}

# Of one transaction: each is answered by a message of its own, which is kept beside the others.
MOST_CANCELLATIONS = 50

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


def is_allowed(decision: Decision, head: Head, cleared: bool = False) -> bool:
    """Whether the table lets whoever decides bring about what the decision wants, as the transaction stands.

    A time-out never comes early, and a deadline that was set anew is another one.  A camt.056 that is
    being decided has no end but its answer: refused, it would cancel all the same.

    Args:
        cleared: whether an operator has let it go on, so that its client may end it like any other.
    """
    if decision.kind in ENDS_AS and is_being_asked(head):
        return False
    if decision.kind is DecisionKind.TIME_OUT and head.deadline > decision.at:
        return False
    if decision.kind is DecisionKind.CLEARANCE and decision.by == head.owner:
        return False
    wanted, actor = ENDS_AS.get(decision.kind, Status.ACSP), actor_of(decision, head)
    is_open_again = cleared and actor is Actor.CLIENT and decision.kind in ENDS_AS
    return may_move(head.status, wanted, actor, () if is_open_again else head.reasons)


def is_being_asked(head: Head) -> bool:
    """Whether it is a camt.056 whose cancellation is being decided where it belongs."""
    is_cancellation = head.message_type is not None and head.message_type.definition == "camt.056"
    return is_cancellation and head.status is Status.ACSP


def is_one_too_many(decision: Decision, kept: Iterable[Decision]) -> bool:
    """Whether it is a further cancellation of a transaction of which enough were asked for."""
    others = [one for one in kept if one.kind is DecisionKind.CANCELLATION]
    is_known = any(one.key == decision.key for one in others)
    return decision.kind is DecisionKind.CANCELLATION and not is_known and len(others) >= MOST_CANCELLATIONS


def is_cleared(decisions: Iterable[Decision], head: Head) -> bool:
    """Whether an operator's decision about it was carried out."""
    return any(
        one.verdict == Verdict.CARRIED_OUT and actor_of(one, head) is Actor.OPERATOR for one in decisions
    )


def awaits_an_operator(decisions: Iterable[Decision], head: Head) -> bool:
    """Whether it is held for a regulatory reason, and no operator has decided."""
    return head.status is Status.PDNG and is_regulatory(head.reasons) and not is_cleared(decisions, head)


def awaits_another(decision: Decision, head: Head, kept: Iterable[Decision]) -> bool:
    """Whether it is ruled on after an operator has decided: its client wants to end what is held till then.

    Refused at once, it would be forgotten when the hold ends, and what its sender took back would be paid.
    """
    is_clients = decision.kind in ENDS_AS and actor_of(decision, head) is Actor.CLIENT
    return is_clients and decision.verdict is None and awaits_an_operator(kept, head)


def is_let_go_on(decisions: Iterable[Decision]) -> bool:
    """Whether what was held may go on: ``decide`` has found that whoever wanted it may."""
    return any(one.kind not in ENDS_AS and one.verdict == Verdict.CARRIED_OUT for one in decisions)


def due(head: Head, let_go_at: datetime | None = None) -> datetime | None:
    """From when on it may be timed out; ``None`` while it may not, as it stands.

    Args:
        let_go_at: when it went on, for what was held until now: it has all its time again.
    """
    if is_being_asked(head) or not may_move(head.status, Status.RJCT, Actor.TIME_OUT, head.reasons):
        return None
    if let_go_at is None:
        return head.deadline
    return max(head.deadline, let_go_at + (head.deadline - head.opened_at))


def due_after(before: Head, moved: Head, at: datetime) -> datetime | None:
    """``due`` of what has moved on to another status at this time."""
    return due(moved, at if before.status is Status.PDNG else None)


def is_forestalled(decision: Decision, standing: Collection[Decision]) -> bool:
    """Whether decisions that stand already end every transfer this one would end."""
    if decision.kind not in ENDS_AS:
        return False
    if any(not one.numbers for one in standing):
        return True
    ended = {number for one in standing for number in one.numbers}
    return bool(decision.numbers) and ended.issuperset(decision.numbers)


def verdict_on(decision: Decision, head: Head, kept: Collection[Decision]) -> Verdict | None:
    """What comes of a decision; ``None`` while it awaits another one.

    Args:
        kept: all decisions about the transaction.
    """
    if head.status in FINAL:
        return Verdict.TOO_LATE
    if awaits_another(decision, head, kept):
        return None
    # What a regulatory hold has overtaken ends nothing without an operator.
    is_overtaken = head.status is Status.PDNG and is_regulatory(head.reasons)
    is_operators = actor_of(decision, head) is Actor.OPERATOR
    if is_forestalled(decision, ending(kept, head)) and not (is_overtaken and is_operators):
        return Verdict.REFUSED
    if not is_allowed(decision, head, is_cleared(kept, head)):
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


def is_being_ended(head: Head, numbers: Iterable[int], decided: Collection[Decision]) -> bool:
    """Whether ``decide`` has to rule first on what would end these transfers, or to void what is ended."""
    if any(one.kind in ENDS_AS and one.verdict is None for one in decided):
        return True
    standing = ending(decided, head)
    return any(covering(number, standing) for number in numbers)
