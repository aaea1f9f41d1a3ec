"""Every state a transaction can be in, every event that says so, and every decision that may follow another.

This is the one table: the documentation's picture, the catalogue, ``postbus status`` and the conditional
writes of the ledger are all derived from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a transaction is, as its events tell it; each outranks those above it."""

    AUTHORIZED = "AUTHORIZED"
    ENRICHED = "ENRICHED"
    APPROVED = "APPROVED"
    HELD = "HELD"
    RELEASED = "RELEASED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    POSTED = "POSTED"


class OutcomeState(StrEnum):
    """What has been decided about a transaction, once and for all parties, in its outcome item."""

    HELD = "HELD"
    RELEASED = "RELEASED"
    SENDING = "SENDING"
    POSTED = "POSTED"
    VOIDED = "VOIDED"


# What may follow what.  ``None`` is "no outcome yet".  Each pair is a conditional write made before the
# event that announces it.  SENDING exists only with an external ledger: the call may have had its effect,
# so nothing but that ledger's own answer may resolve it.
TRANSITIONS: dict[OutcomeState, frozenset[OutcomeState | None]] = {
    OutcomeState.HELD: frozenset({None}),
    OutcomeState.RELEASED: frozenset({OutcomeState.HELD}),
    OutcomeState.SENDING: frozenset({None, OutcomeState.RELEASED}),
    OutcomeState.POSTED: frozenset({None, OutcomeState.RELEASED, OutcomeState.SENDING}),
    OutcomeState.VOIDED: frozenset({None, OutcomeState.HELD, OutcomeState.RELEASED}),
}

# A definite refusal by the external ledger is its answer, so it may end SENDING; no other voiding may.
REFUSED_BY_LEDGER_FROM: frozenset[OutcomeState | None] = frozenset(
    {None, OutcomeState.RELEASED, OutcomeState.SENDING}
)

FINAL_OUTCOMES = frozenset({OutcomeState.POSTED, OutcomeState.VOIDED})


@dataclass(frozen=True, slots=True)
class Fact:
    """One type of event.

    Attributes:
        name: the EventBridge ``detail-type``.
        source: the EventBridge ``source``, ``postbus.<capability>``.
        state: the state it puts the transaction in, ``None`` for a remark that moves nothing.
        meaning: one sentence for the catalogue.
    """

    name: str
    source: str
    state: State | None
    meaning: str


FACTS: dict[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact(
            "TransactionAuthorized",
            "postbus.inbound",
            State.AUTHORIZED,
            "An approved transaction has entered from a source and was checked for duplicates.",
        ),
        Fact(
            "TransactionEnriched",
            "postbus.enrichment",
            State.ENRICHED,
            "The account, the merchant and the facts the rules need have been added.",
        ),
        Fact(
            "ForeignTransactionFound",
            "postbus.business_rules",
            None,
            "The transaction was made abroad or in another currency than its account's.",
        ),
        Fact(
            "CurrencyConversionTransactionFound",
            "postbus.business_rules",
            None,
            "The billing amount was converted from another currency; the conversion was checked.",
        ),
        Fact(
            "WarningMerchantTypeTransactionFound",
            "postbus.business_rules",
            None,
            "The merchant's category is one the rules warn about.",
        ),
        Fact(
            "TransactionPostingApproved",
            "postbus.business_rules",
            State.APPROVED,
            "No rule stands against posting: the posting queue may book it.",
        ),
        Fact(
            "TransactionHeld",
            "postbus.business_rules",
            State.HELD,
            "An operator must release or refuse it before anything is posted.",
        ),
        Fact(
            "TransactionReleased",
            "postbus.operations",
            State.RELEASED,
            "An operator has waived the named findings; its approval follows.",
        ),
        Fact(
            "TransactionRejected",
            "postbus.business_rules",
            State.REJECTED,
            "It will never be posted: the account or a refusing rule stands against it.",
        ),
        Fact(
            "TransactionVoided",
            "postbus.operations",
            State.VOIDED,
            "It was refused by an operator, cancelled, or reversed before it was posted.",
        ),
        Fact(
            "TransactionPostingFailed",
            "postbus.posting",
            State.FAILED,
            "The ledger definitely refused it; nothing was booked.",
        ),
        Fact(
            "TransactionPosted", "postbus.posting", State.POSTED, "It is in the ledger, with these entries."
        ),
    )
}

FINAL_STATES = frozenset({State.REJECTED, State.VOIDED, State.FAILED, State.POSTED})

# Events arrive in any order, so the state is the furthest one any of them tells of.  HELD outranks APPROVED:
# a replay under changed rules may approve what is held, and the hold stands until RELEASED.
_RANK = {state: rank for rank, state in enumerate(State)}

# What an operator may do now, for the CLI and the documentation.
COMMANDS: dict[State, tuple[str, ...]] = {
    State.AUTHORIZED: ("trace", "sweep", "cancel"),
    State.ENRICHED: ("trace", "sweep", "cancel"),
    State.APPROVED: ("trace", "sweep", "cancel"),
    State.HELD: ("hold show", "hold release", "hold refuse", "cancel"),
    State.RELEASED: ("trace", "sweep", "cancel"),
    State.REJECTED: ("trace",),
    State.VOIDED: ("trace",),
    State.FAILED: ("trace",),
    State.POSTED: ("trace", "ledger entries"),
}


def state_of(event_types: Iterable[str]) -> State | None:
    """The state a set of event types adds up to, in whatever order they came; ``None`` for no such event."""
    states = {fact.state for name in event_types if (fact := FACTS.get(name)) and fact.state is not None}
    return max(states, key=_RANK.__getitem__, default=None)
