"""Every status of a client's transaction, what it says, and who may bring it from one to the next.

This is the one table: the conditional writes of the workflow, the status page of the documentation and what
a client, an operator or the time-out is allowed to do are all derived from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from postbus.domain.iso20022.messages import Reason, Status

MEANINGS: dict[Status, str] = {
    Status.ACCP: "A transaction id was given out; its message is awaited.",
    Status.ACTC: "The message was received and is stored; it awaits its checks.",
    Status.PDNG: "A check found something that a person must decide; nothing is on its way to the ledger.",
    Status.ACSP: "The checks were passed; the ledger books its transfers, or is about to.",
    Status.ACSC: "All of its transfers are booked.",
    Status.PART: "Some of its transfers are booked, the others are refused or taken back.",
    Status.RJCT: "None of its transfers is booked, and none will be.",
    Status.CANC: "It was cancelled before any of its transfers was booked.",
}

FINAL: frozenset[Status] = frozenset({Status.ACSC, Status.PART, Status.RJCT, Status.CANC})

# "Regulatory reason" (ExternalStatusReason1Code): what is held for it is the operator's alone to decide, and
# nobody else is told why it waits.
REGULATORY = "RR04"

# "Fraud" (ExternalStatusReason1Code): whoever may have sent it does not wave it through.
FRAUD = "FR01"

# A hold for one of these ends by an operator's decision alone.  One set, so that from outside neither can be
# told from the other.
OPERATORS_ALONE = frozenset({REGULATORY, FRAUD})


class Actor(StrEnum):
    """Who brings a status about."""

    CHECKS = "checks"
    CLIENT = "client"
    OPERATOR = "operator"
    TIME_OUT = "time-out"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Move:
    """One step from a status to another.

    Attributes:
        by: who may bring it about.
        when: half a sentence for the documentation.
    """

    by: frozenset[Actor]
    when: str


def _by(*actors: Actor) -> frozenset[Actor]:
    return frozenset(actors)


# Nothing else may follow.  Each is a conditional write on the transaction's head; of two at once one wins.
MOVES: dict[tuple[Status, Status], Move] = {
    (Status.ACCP, Status.ACTC): Move(_by(Actor.CHECKS), "its message is stored"),
    (Status.ACCP, Status.RJCT): Move(
        _by(Actor.CHECKS, Actor.CLIENT, Actor.TIME_OUT),
        "its message cannot be taken, it is withdrawn, or no message came in time",
    ),
    (Status.ACCP, Status.CANC): Move(_by(Actor.CLIENT), "it is cancelled before its message is taken"),
    (Status.ACTC, Status.PDNG): Move(_by(Actor.CHECKS), "a check found something to be decided"),
    (Status.ACTC, Status.ACSP): Move(_by(Actor.CHECKS), "at least one of its transfers passed all checks"),
    (Status.ACTC, Status.RJCT): Move(
        _by(Actor.CHECKS, Actor.CLIENT, Actor.TIME_OUT),
        "none of its transfers passed, it is withdrawn, or its time is over",
    ),
    (Status.ACTC, Status.CANC): Move(_by(Actor.CLIENT), "it is cancelled before anything was booked"),
    (Status.PDNG, Status.ACSP): Move(
        _by(Actor.CHECKS, Actor.CLIENT, Actor.OPERATOR), "whoever had to decide lets it go on"
    ),
    (Status.PDNG, Status.RJCT): Move(
        _by(Actor.CHECKS, Actor.CLIENT, Actor.OPERATOR, Actor.TIME_OUT),
        "whoever had to decide refuses it, a later check does, or its time is over",
    ),
    (Status.PDNG, Status.CANC): Move(_by(Actor.CLIENT), "it is cancelled before anything was booked"),
    (Status.ACSP, Status.ACSC): Move(_by(Actor.LEDGER), "all of its transfers are booked"),
    (Status.ACSP, Status.PART): Move(_by(Actor.LEDGER), "all are final, some of them booked"),
    (Status.ACSP, Status.RJCT): Move(
        _by(Actor.LEDGER, Actor.CLIENT, Actor.TIME_OUT),
        "all are refused; or it is withdrawn, or its time is over, and all of them could be taken back",
    ),
    (Status.ACSP, Status.CANC): Move(_by(Actor.CLIENT), "it is cancelled, and all could be taken back"),
}


def may_replace(after: Status) -> frozenset[Status]:
    """The statuses it may follow, for a conditional write; none for ACCP, which is the first."""
    return frozenset(before for before, wanted in MOVES if wanted is after)


def may_move(before: Status, after: Status, actor: Actor, reasons: Iterable[Reason] = ()) -> bool:
    """Whether ``actor`` may bring it from one status to the other.

    Args:
        reasons: of the status it has now.  A hold for a regulatory reason or for fraud is closed to the
            client and to the time-out: it lasts until an operator has decided.
    """
    if before is Status.PDNG and actor in (Actor.CLIENT, Actor.TIME_OUT) and is_regulatory(reasons):
        return False
    move = MOVES.get((before, after))
    return move is not None and actor in move.by


def is_regulatory(reasons: Iterable[Reason]) -> bool:
    """Whether one of the reasons is one that only an operator decides about, such as a sanctions hit."""
    return any(reason.code in OPERATORS_ALONE for reason in reasons)
