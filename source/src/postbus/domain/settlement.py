"""What the ledger does with an instruction, given what is stored: the one decision both it and its tests ask.

The answer is a plan.  Whoever carries it out writes it under the condition that nothing it was made from has
changed, and asks again if something has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from postbus.domain.lifecycle import OutcomeState
from postbus.domain.money import Money
from postbus.domain.outcome import ORIGINAL_VOIDED, Outcome
from postbus.domain.posting import (
    Account,
    Direction,
    Entry,
    Journal,
    PostingInstruction,
    funding_of,
    journal_of,
    may_overdraw,
    reversal_of,
)
from postbus.domain.transaction import Kind, Transaction, content_hash

# How postings of this ledger are marked, to tell them from an external one's.
LEDGER = "dynamodb"

_OF_REVERSAL = "its original is a reversal itself"
_OTHER_ACCOUNT = "its original is of another account"
_OTHER_CREDITOR = "its original went to another account"
_OTHER_AMOUNT = "it says it is of the whole, and its original is of another amount"

# What a voided reversal and its original are told.  Of what was never seen nobody can say more yet.
_NEVER_POSTED = "what it reverses was never posted and never will be"
_NOT_SEEN = (
    "what it reverses has not been seen; if it comes and is what this takes back, it is not posted, and if it"
    " is anything else, it is judged by itself and this reversal has no effect on it"
)
_REVERSED = "a reversal came before it was posted"
_REVERSED_UNSEEN = (
    "a reversal came before it was seen: it is not posted if it is what that takes back; anything else under"
    " this id is judged by itself"
)

# What the ledger holds a reversal for.
UNPOSTED = {
    "id": "partial-reversal-of-unposted",
    "code": "PARTIAL_REVERSAL_OF_UNPOSTED",
    "severity": "hold",
    "text": "it takes back part of a transaction that is not posted, or one that another reversal"
    " describes otherwise; release it once that is posted",
}
FURTHER = {
    "id": "further-reversal",
    "code": "FURTHER_REVERSAL",
    "severity": "hold",
    "text": "part of its original is, or may be, reversed already; released, it takes back its whole amount"
    " besides, and is refused if less than that is left",
}


@dataclass(frozen=True, slots=True)
class Earmark:
    """Money of an account set aside for one transaction until it is posted or voided."""

    account_id: str
    amount: Money


class SetAside(Enum):
    """What came of setting money aside for a transaction.

    DONE now or before; what was set aside first stands, whatever is asked for later.  SHORT: nothing is set
    aside for it, and the account lacks it.  DECIDED: something was decided about the transaction before, so
    nothing is set aside for it any more.
    """

    DONE = "done"
    SHORT = "short"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept under a transaction's id.

    Attributes:
        reversed_minor: of the transaction amount, in minor units, how much reversals have taken back so far.
        reversed_billing_minor: the same of the billing amount.
    """

    outcome: Outcome | None = None
    earmark: Earmark | None = None
    reversed_minor: int = 0
    reversed_billing_minor: int = 0

    @property
    def state(self) -> OutcomeState | None:
        return self.outcome.state if self.outcome else None


NOTHING = Stored()


def set_aside_before(stored: Stored) -> SetAside | None:
    """What came of setting money aside, by what is stored of the transaction; ``None`` while nothing is.

    Whoever was told that it is done may have sent the payment on, so it is never taken back: should it be of
    another account than is asked for now, the posting asks for what is missing.
    """
    if stored.earmark is not None:
        return SetAside.DONE
    return None if stored.outcome is None else SetAside.DECIDED


def affordable(wanted: Mapping[str, Earmark], available_minor: int) -> dict[str, Earmark]:
    """Those that what is available covers, in their order: one that is too much leaves it to the next."""
    taken: dict[str, Earmark] = {}
    for name, earmark in wanted.items():
        if earmark.amount.minor <= available_minor:
            taken[name] = earmark
            available_minor -= earmark.amount.minor
    return taken


@dataclass(frozen=True, slots=True)
class Book:
    """Write the outcome together with its entries' balances.

    Attributes:
        may_overdraw: otherwise customers' accounts that are debited must have the money available.
        reversed_before: for a reversal, what its original has had reversed until now: (minor units of the
            amount, minor units of the billing amount).
    """

    outcome: Outcome
    journal: Journal
    may_overdraw: bool
    reversed_before: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """Write these outcomes together; nothing is booked."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """It was decided before: these outcomes are announced again, nothing is written."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """It cannot be told yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """It cannot be true together with what is stored."""

    reason: str


Plan = Book | Decide | Stand | Wait | Contradiction


def settle(instruction: PostingInstruction, own: Stored, original: Stored, shard: int) -> Plan:
    """What to do about an instruction.

    Args:
        own: what is stored under its transaction id.
        original: what is stored under the id it reverses; ``NOTHING`` for what is no reversal.
        shard: the balance item it moves of an internal account.
    """
    transaction = instruction.transaction
    if own.outcome and not own.outcome.concerns(transaction.to_data()):
        own = NOTHING
    same = own.outcome is None or own.outcome.is_of(transaction.content_hash)
    stands = same or instruction.cause.replay is not None
    match own.outcome:
        case Outcome(state=OutcomeState.HELD | OutcomeState.VOIDED | OutcomeState.POSTED) as standing if (
            stands
        ):
            return Stand((standing, *_voided_along(standing, original)))
        case Outcome(state=OutcomeState.SENDING):
            return Wait(f"{transaction.transaction_id} was being sent to another ledger")
        case Outcome() if not same:
            return Contradiction(
                f"{own.outcome.state} with content {own.outcome.content_hash}, "
                f"asked to post {transaction.content_hash}"
            )
    if (other := instruction.cause.data.get("conflict_with")) is not None:
        # Whoever approved it: of two contents under one authorisation id one is booked at most.
        return Contradiction(f"{transaction.transaction_id} contradicts {other}, and is not to be posted")
    if transaction.kind is Kind.REVERSAL:
        return _settle_reversal(instruction, own, original, shard)
    if mismatch := _currency_mismatch(instruction):
        return Decide((refusal(instruction, "CURRENCY_MISMATCH", mismatch),))
    journal = journal_of(instruction, shard)
    return Book(posted(instruction, journal), journal, may_overdraw(transaction.kind))


def _currency_mismatch(instruction: PostingInstruction) -> str | None:
    transaction, account, creditor = instruction.transaction, instruction.account, instruction.counterparty
    if transaction.billing.currency != account.currency:
        return f"billed in {transaction.billing.currency}, the account is kept in {account.currency}"
    if creditor and transaction.amount.currency != creditor.currency:
        return f"sent in {transaction.amount.currency}, the creditor's account is in {creditor.currency}"
    return None


def _settle_reversal(instruction: PostingInstruction, own: Stored, original: Stored, shard: int) -> Plan:
    transaction = instruction.transaction
    original_id = transaction.original_transaction_id
    if original_id == transaction.transaction_id:
        return Decide((refusal(instruction, "REVERSAL_OF_REVERSAL", "it names itself as its original"),))
    match original.outcome:
        case Outcome(state=OutcomeState.POSTED) as posting:
            return _reverse_posted(instruction, own, posting, original, shard)
        case Outcome(state=OutcomeState.SENDING):
            return Wait(f"{original_id} is being sent to another ledger")
        case Outcome(state=OutcomeState.VOIDED) as voided:
            unseen = (voided.context or {}).get("taken_back")
            if unseen is None or (unseen == _taken_back(transaction) and not transaction.partial):
                return Decide((_nothing_to_reverse(instruction, seen=unseen is None),))
            # Another reversal came first and is of something else: the original will tell which is right.
            return _wait_or_hold(instruction, own)
    waiting = original.outcome
    if waiting and (known := waiting.data.get("transaction")):
        asked = _taken_back(transaction)
        if known["kind"] == Kind.REVERSAL.value:
            return Decide((refusal(instruction, "REVERSAL_OF_REVERSAL", _OF_REVERSAL),))
        if known["account_token"] != asked["account_token"]:
            return Decide((refusal(instruction, "REVERSAL_MISMATCH", _OTHER_ACCOUNT),))
        if not transaction.partial and any(known[name] != asked[name] for name in ("amount", "billing")):
            return Decide((refusal(instruction, "REVERSAL_MISMATCH", _OTHER_AMOUNT),))
    if transaction.partial:
        # Voiding would take back too much, booking would take back what was never booked.
        return _wait_or_hold(instruction, own)
    nothing = _nothing_to_reverse(instruction, seen=waiting is not None)
    return Decide((nothing, _reversed_before_posting(instruction, waiting)))


def _wait_or_hold(instruction: PostingInstruction, own: Stored) -> Plan:
    if own.outcome is not None:
        return Wait(f"{instruction.transaction.original_transaction_id} is to be reversed but not posted yet")
    return Decide((held(instruction, UNPOSTED),))


def _taken_back(transaction: Transaction) -> dict[str, Any]:
    """Of a reversal: what its original must be if all of it is to be taken back."""
    data = transaction.to_data()
    return {name: data[name] for name in ("account_token", "amount", "billing")}


def _reverse_posted(
    instruction: PostingInstruction, own: Stored, posting: Outcome, original: Stored, shard: int
) -> Plan:
    transaction, data = instruction.transaction, posting.data
    if data["ledger"] != LEDGER:
        return Wait(f"{posting.transaction_id} is booked in another ledger")
    amount, billing = Money.from_data(data["amount"]), Money.from_data(data["billing"])
    before = original.reversed_minor, original.reversed_billing_minor
    # A reversal tells what is to stand after it, not whether that counts what was taken back before.
    unsure = 0 < before[0] < amount.minor and before[1] < billing.minor and own.outcome is None
    if misfit := misfitting(instruction, posting, NOTHING if unsure else original):
        return Decide((misfit,))
    if unsure:
        return Decide((held(instruction, FURTHER),))
    entries = tuple(Entry.from_data(entry) for entry in data["entries"])
    if not _leaves_the_counterparty(entries, instruction.counterparty):
        return Decide((refusal(instruction, "REVERSAL_MISMATCH", _OTHER_CREDITOR),))
    journal = reversal_of(entries, transaction, shard)
    return Book(posted(instruction, journal), journal, may_overdraw(transaction.kind), before)


def _leaves_the_counterparty(original: Iterable[Entry], counterparty: Account | None) -> bool:
    """Whether what a return takes back had gone to the account that was judged whether it may give it."""
    credited = {entry.account_id for entry in original if entry.direction is Direction.CREDIT}
    return counterparty is None or counterparty.account_id in credited


def misfitting(instruction: PostingInstruction, posting: Outcome, original: Stored) -> Outcome | None:
    """The refusal of a reversal that does not fit the posting it names, in whichever ledger that is."""
    transaction, data = instruction.transaction, posting.data
    if data["kind"] == Kind.REVERSAL.value:
        return refusal(instruction, "REVERSAL_OF_REVERSAL", _OF_REVERSAL)
    amount, billing = Money.from_data(data["amount"]), Money.from_data(data["billing"])
    entries = (Entry.from_data(entry) for entry in data["entries"])
    if instruction.account.account_id not in {entry.account_id for entry in entries if entry.shard is None}:
        return refusal(instruction, "REVERSAL_MISMATCH", _OTHER_ACCOUNT)
    if (amount.currency, billing.currency) != (transaction.amount.currency, transaction.billing.currency):
        return refusal(instruction, "REVERSAL_MISMATCH", "its original is in other currencies")
    room = amount.minor - transaction.amount.minor, billing.minor - transaction.billing.minor
    if original.reversed_minor > room[0] or original.reversed_billing_minor > room[1]:
        text = f"of {amount}, {Money(original.reversed_minor, amount.currency)} is already reversed"
        return refusal(instruction, "REVERSAL_EXCEEDS_ORIGINAL", text)
    if not transaction.partial and room != (0, 0):
        return refusal(instruction, "REVERSAL_MISMATCH", _OTHER_AMOUNT)
    return None


def _voided_along(own: Outcome, original: Stored) -> tuple[Outcome, ...]:
    """The original's outcome, if this reversal voided it: written together, the two are told together."""
    if original.outcome and original.outcome.data.get("reversed_by") == own.transaction_id:
        return (original.outcome,)
    return ()


def posted(instruction: PostingInstruction, journal: Journal) -> Outcome:
    """The outcome of a booked instruction; it is the posting itself."""
    transaction = instruction.transaction
    data: dict[str, Any] = {
        "source": transaction.source,
        "kind": transaction.kind.value,
        "amount": transaction.amount.to_data(),
        "billing": transaction.billing.to_data(),
        "posting_id": transaction.transaction_id,
        "ledger": LEDGER,
        "entries": [entry.to_data() for entry in journal.entries],
        "content_hash": transaction.content_hash,
    }
    if transaction.original_transaction_id is not None:
        data["original_transaction_id"] = transaction.original_transaction_id
    return _outcome(instruction, OutcomeState.POSTED, "TransactionPosted", data)


def funding(account: Account, amount: Money, posting_id: str, decided_at: datetime, shard: int) -> Book:
    """The opening balance of an account, as a posting like any other, so that the books are whole."""
    journal = funding_of(account, amount, shard)
    content = content_hash({"funding": account.account_id, **amount.to_data()})
    outcome = Outcome(
        transaction_id=posting_id,
        state=OutcomeState.POSTED,
        event_type="TransactionPosted",
        content_hash=content,
        correlation_id=posting_id,
        causation_id=posting_id,
        decided_at=decided_at,
        data={
            "source": "funding",
            "kind": "funding",
            "amount": amount.to_data(),
            "billing": amount.to_data(),
            "posting_id": posting_id,
            "ledger": LEDGER,
            "entries": [entry.to_data() for entry in journal.entries],
            "content_hash": content,
        },
    )
    return Book(outcome, journal, may_overdraw=True)


def refusal(instruction: PostingInstruction, code: str, text: str) -> Outcome:
    """The outcome of an instruction the ledger will never book."""
    data = {"transaction": instruction.transaction.to_data(), "reason": {"code": code, "text": text}}
    return _outcome(instruction, OutcomeState.VOIDED, "TransactionPostingFailed", data)


def insufficient_funds(instruction: PostingInstruction) -> Outcome:
    """The refusal of an instruction that may not overdraw its account."""
    return refusal(instruction, "INSUFFICIENT_FUNDS", "the available balance is lower than the amount")


def _nothing_to_reverse(instruction: PostingInstruction, seen: bool) -> Outcome:
    data = {
        "transaction": instruction.transaction.to_data(),
        "reason": {"code": ORIGINAL_VOIDED, "text": _NEVER_POSTED if seen else _NOT_SEEN},
        "original_transaction_id": instruction.transaction.original_transaction_id,
    }
    return _outcome(instruction, OutcomeState.VOIDED, "TransactionVoided", data)


def _reversed_before_posting(instruction: PostingInstruction, waiting: Outcome | None) -> Outcome:
    """The original's outcome.  One that was never seen has no content and belongs to the reversal's story."""
    assert instruction.transaction.original_transaction_id is not None
    known = waiting.data.get("transaction") if waiting else None
    return Outcome(
        transaction_id=instruction.transaction.original_transaction_id,
        state=OutcomeState.VOIDED,
        event_type="TransactionVoided",
        content_hash=waiting.content_hash if waiting else "",
        correlation_id=waiting.correlation_id if waiting else instruction.cause.correlation_id,
        causation_id=instruction.cause.event_id,
        decided_at=instruction.decided_at,
        data={
            **({"transaction": known} if known else {}),
            "reason": {"code": "REVERSED_BEFORE_POSTING", "text": _REVERSED if waiting else _REVERSED_UNSEEN},
            "reversed_by": instruction.transaction.transaction_id,
        },
        context=None if waiting else {"taken_back": _taken_back(instruction.transaction)},
        replay=instruction.cause.replay,
    )


def held(instruction: PostingInstruction, finding: Mapping[str, str]) -> Outcome:
    """The outcome of an instruction the ledger cannot be sure of; a release books it as it is."""
    cause = instruction.cause
    data = {
        "transaction": instruction.transaction.to_data(),
        "findings": [dict(finding)],
        "ruleset": cause.data.get("decision", {}).get("ruleset", "none"),
        "releasable": True,
    }
    enriched = {name: value for name, value in cause.data.items() if name != "decision"}
    return _outcome(instruction, OutcomeState.HELD, "TransactionHeld", data, {"enriched": enriched})


def _outcome(
    instruction: PostingInstruction,
    state: OutcomeState,
    event_type: str,
    data: Mapping[str, Any],
    context: Mapping[str, Any] | None = None,
) -> Outcome:
    content, when = instruction.transaction.content_hash, instruction.decided_at
    return Outcome.of(instruction.cause, state, event_type, content, when, data, context)
