"""How far a message is, from what became of its transfers; and what its sender may be told about it.

Settled or not is the ledger's word alone: a cancellation, a rejection or a time-out covers only the transfers
that could be taken back, whatever was wanted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022.messages import Reason, Standing, Status, quoted
from postbus.domain.iso20022.status import FINAL, OPERATORS_ALONE
from postbus.domain.iso20022.workflow import Child, ChildState, DecisionKind

# "Reason has not been specified by the agent."
UNSPECIFIED = Reason("MS03")

# Why something that was taken back was, where who wanted it gave no reason: DS02 an authorised user has
# cancelled it, CUST asked for by the customer, AB03 its time was over on our side.
DECISION_REASONS: dict[DecisionKind, Reason] = {
    DecisionKind.CANCELLATION: Reason("DS02"),
    DecisionKind.REJECTION: Reason("CUST"),
    DecisionKind.TIME_OUT: Reason("AB03"),
}

# The pipeline's reason codes, as they stand in its events, and what an answer says instead.  The pipeline's
# own texts are for its operators and stay inside.
PIPELINE_REASONS: dict[str, Reason] = {
    "ACCOUNT_UNKNOWN": Reason("AC02", ("The debtor's account is not known.",)),
    "ACCOUNT_CLOSED": Reason("AC04", ("The debtor's account is closed.",)),
    "ACCOUNT_BLOCKED": Reason("AC06", ("The debtor's account is blocked.",)),
    "COUNTERPARTY_UNKNOWN": Reason("AC03", ("The creditor's account is not known.",)),
    "COUNTERPARTY_CLOSED": Reason("AC04", ("The creditor's account is closed.",)),
    "COUNTERPARTY_BLOCKED": Reason("AC06", ("The creditor's account is blocked.",)),
    "CURRENCY_MISMATCH": Reason("AM03", ("An account is kept in another currency.",)),
    "INSUFFICIENT_FUNDS": Reason("AM04"),
    "RULES_REFUSED": UNSPECIFIED,
    "REFUSED_BY_LEDGER": UNSPECIFIED,
    "REFUSED_BY_OPERATOR": UNSPECIFIED,
    "CANCELLED": DECISION_REASONS[DecisionKind.CANCELLATION],
    "REVERSED_BEFORE_POSTING": Reason("MS03", ("It was returned before it was booked.",)),
    "ORIGINAL_VOIDED": Reason("MS03", ("What it returns is not booked.",)),
    "REVERSAL_EXCEEDS_ORIGINAL": Reason("AM09", ("More is returned than was booked.",)),
    "REVERSAL_MISMATCH": Reason("MS03", ("What it returns has another account or currency.",)),
    "REVERSAL_OF_REVERSAL": Reason("MS03", ("What it returns is a return itself.",)),
}

# What a refusing rule found.  Rules are data and may find anything: what is not named here is unspecified.
FINDING_REASONS: dict[str, Reason] = {
    "ACCOUNT_STATUS": Reason("AC06"),
    "ACCOUNT_HOLD": Reason("AC06"),
    "HIGH_AMOUNT": Reason("AM14"),
    "DUPLICATE": Reason("AM05"),
    "CONFLICT": Reason("AM05"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a message stands as a whole.

    Attributes:
        reasons: of the message; those of single transfers stand in their standings.
    """

    status: Status
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one transfer in the pipeline, once and for all."""

    state: ChildState
    reasons: tuple[Reason, ...] = ()


_ENDED_BY = {
    "TransactionPosted": ChildState.POSTED,
    "TransactionVoided": ChildState.VOIDED,
    "TransactionRejected": ChildState.REJECTED,
    "TransactionPostingFailed": ChildState.REJECTED,
}


def ended(event_type: str, data: Mapping[str, Any]) -> Ended | None:
    """What an event of the pipeline says about a transfer; ``None`` for one that leaves it open.

    Args:
        data: the event's; its ``reason.code``, and of the findings those that refuse, become ISO codes.
    """
    state = _ENDED_BY.get(event_type)
    if state is None or state is ChildState.POSTED:
        return None if state is None else Ended(state)
    code = data["reason"]["code"]
    refused_for = [
        FINDING_REASONS.get(finding["code"], UNSPECIFIED)
        for finding in data.get("findings", ())
        if code == "RULES_REFUSED" and finding["severity"] == "refuse"
    ]
    reasons = refused_for or [PIPELINE_REASONS.get(code, UNSPECIFIED)]
    return Ended(state, tuple(dict.fromkeys(reasons)))


def judge(
    children: Collection[Child],
    wanted: DecisionKind | None = None,
    given: tuple[Reason, ...] = (),
) -> Progress:
    """The status of a message, from all of its transfers in any order.

    A message whose transfers are not all final is ACSP, whatever is wanted of it.

    Args:
        children: all of them; empty for a message that was decided before any of them was kept.
        wanted: what was decided about it; ``None``, ACCEPTANCE and CLEARANCE let it take its course.
        given: the decision's own reasons.
    Raises:
        InvariantBroken: no transfers, and nothing was decided that would end it without them.
    """
    states = {child.state for child in children}
    if ChildState.OPEN in states:
        return Progress(Status.ACSP)
    if ChildState.POSTED in states:
        return Progress(Status.ACSC if len(states) == 1 else Status.PART)
    if wanted in DECISION_REASONS and (not states or ChildState.VOIDED in states):
        status = Status.CANC if wanted is DecisionKind.CANCELLATION else Status.RJCT
        return Progress(status, _decided(wanted, given))
    if not states:
        raise InvariantBroken("a message without transfers that nobody has decided")
    codes = {reason.code for child in children for reason in _own_reasons(child)}
    return Progress(Status.RJCT, tuple(Reason(code) for code in sorted(codes)))


def standing_of(child: Child, wanted: DecisionKind | None = None, given: tuple[Reason, ...] = ()) -> Standing:
    """What an answer says of one transfer.

    Args:
        wanted: what was decided about its message, with ``given``, the decision's own reasons.
    """
    match child.state:
        case ChildState.OPEN:
            held = child.held_at is not None
            status, reasons = Status.PDNG if held else Status.ACSP, child.reasons
        case ChildState.POSTED:
            status, reasons = Status.ACSC, ()
        case ChildState.REJECTED:
            status, reasons = Status.RJCT, _own_reasons(child)
        case ChildState.VOIDED:
            cancelled = wanted is DecisionKind.CANCELLATION
            status, reasons = Status.CANC if cancelled else Status.RJCT, _own_reasons(child)
            # Whatever was wanted, the pipeline only knows that it was cancelled.
            if wanted in DECISION_REASONS and child.reasons in ((), (PIPELINE_REASONS["CANCELLED"],)):
                reasons = _decided(wanted, given)
    return Standing(
        **quoted(child), status=status, amount=child.amount, reasons=reasons, settled_at=child.settled_at
    )


def together(statuses: Iterable[Status]) -> Status:
    """The one status of a group of transfers, such as a PmtInf, or the transfers of a message.

    Raises:
        InvariantBroken: no statuses.
    """
    found = set(statuses)
    if not found:
        raise InvariantBroken("a group without transfers")
    if len(found) == 1:
        return found.pop()
    if unfinished := found - FINAL:
        return Status.PDNG if Status.PDNG in unfinished else Status.ACSP
    if found & {Status.ACSC, Status.PART}:
        return Status.PART
    return Status.RJCT


def told(status: Status, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """What of the reasons a client may be told, in an answer or elsewhere.

    While something is held nothing is said of why: a hold must not tip anybody off, and beside others that
    are explained one without a reason would.  What only an operator decides about is never explained.
    """
    if status is Status.PDNG:
        return ()
    return tuple(
        replace(reason, additional=()) if reason.code in OPERATORS_ALONE else reason
        for reason in reasons
        if reason.code not in OPERATORS_ALONE or status in FINAL
    )


def _own_reasons(child: Child) -> tuple[Reason, ...]:
    return child.reasons or (UNSPECIFIED,)


def _decided(wanted: DecisionKind | None, given: tuple[Reason, ...]) -> tuple[Reason, ...]:
    if given or wanted is None:
        return given
    return (DECISION_REASONS[wanted],)
