"""An external posting system as the ledger: ``docs/posting-system.openapi.yaml``.

A call over the network may have had its effect whatever came back.  So SENDING is written before the first
byte is sent, and from then on only the posting system's own answer decides: booked, or definitely refused.
Everything else is a question, asked under the same idempotency key (the transaction id) until it is answered.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from postbus.adapters.posting_system import Booked, Booking, PostingSystem, Refused
from postbus.domain.errors import InvariantBroken, Malformed, OutcomeUnknown, Unavailable
from postbus.domain.lifecycle import OutcomeState
from postbus.domain.outcome import REFUSED_BY_LEDGER, Outcome
from postbus.domain.posting import Direction, PostingInstruction
from postbus.domain.settlement import (
    FURTHER,
    NOTHING,
    Contradiction,
    Decide,
    Stand,
    Stored,
    Wait,
    held,
    misfitting,
    refusal,
    settle,
)
from postbus.domain.transaction import Kind
from postbus.ports import Answer, Impossible, NotNow, Outcomes, Settled

# Of the account's own entry.
_DIRECTIONS = {
    Kind.PURCHASE: Direction.DEBIT,
    Kind.ATM_WITHDRAWAL: Direction.DEBIT,
    Kind.TRANSFER: Direction.DEBIT,
    Kind.REFUND: Direction.CREDIT,
}


class HttpLedger:
    """``ports.Ledger`` over an external posting system.  Not for several threads at once."""

    def __init__(
        self,
        outcomes: Outcomes,
        system: PostingSystem,
        budget_seconds: float = 8.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            budget_seconds: no instruction is begun later than this in a batch, so that a slow posting system
                leaves the function the time to report what was booked.  One may take three exchanges more.
        """
        self._outcomes = outcomes
        self._system = system
        self._budget_seconds = budget_seconds
        self._monotonic = monotonic

    def post(self, instructions: Sequence[PostingInstruction]) -> Sequence[Answer]:
        """Book each at most once.  When the posting system is away, the rest of the batch is not tried."""
        until = self._monotonic() + self._budget_seconds
        away: NotNow | None = None
        answers: dict[int, Answer] = {}
        # Reversals after the rest, so that one and its original meet in whatever order they came.
        turns = sorted(enumerate(instructions), key=lambda turn: turn[1].transaction.kind is Kind.REVERSAL)
        for index, instruction in turns:
            if away is None and self._monotonic() > until:
                away = NotNow("the posting system is too slow for the rest of this batch")
            answer: Answer
            try:
                answer = away or self._settle(instruction)
            except Unavailable as error:
                answer = away = NotNow(str(error))
            except OutcomeUnknown as error:  # of this one only: the posting system did answer when asked
                answer = NotNow(str(error))
            except (InvariantBroken, Malformed) as error:
                answer = Impossible(str(error))
            answers[index] = answer
        return [answers[index] for index in range(len(instructions))]

    def _settle(self, instruction: PostingInstruction) -> Answer:
        transaction = instruction.transaction
        own = Stored(self._outcomes.find(transaction.transaction_id))
        if own.outcome and not own.outcome.concerns(transaction.to_data()):
            own = NOTHING
        original = NOTHING
        if transaction.original_transaction_id is not None:
            original = Stored(self._outcomes.find(transaction.original_transaction_id))
        if own.state is OutcomeState.SENDING:
            return self._ask_then_book(instruction, own, original)
        plan = settle(instruction, own, original, shard=0)
        undecided = own.state in (None, OutcomeState.RELEASED) and not isinstance(plan, Contradiction)
        if undecided and original.state is OutcomeState.POSTED:
            return self._reverse_posted(instruction, own, original)
        match plan:
            case Stand(outcomes):
                return Settled(outcomes)
            case Decide(outcomes):
                return self._decide(outcomes)
            case Wait(reason):
                return NotNow(reason)
            case Contradiction(reason):
                return Impossible(reason)
        return self._send(instruction, original)

    def _reverse_posted(self, instruction: PostingInstruction, own: Stored, original: Stored) -> Answer:
        """The entries are the posting system's to make; whether the reversal fits is told first."""
        assert original.outcome is not None
        if original.outcome.data["ledger"] != "http":
            return NotNow(f"{original.outcome.transaction_id} is booked in another ledger")
        if misfit := misfitting(instruction, original.outcome, original):
            return self._decide((misfit,))
        if instruction.transaction.partial and own.outcome is None:
            # What was taken back before only the posting system knows, so any part may be a further one.
            return self._decide((held(instruction, FURTHER),))
        return self._send(instruction, original)

    def _decide(self, wanted: Sequence[Outcome]) -> Answer:
        """Record what needs no call: an original before the reversal that voids it.

        A crash between the two is made good by asking again: what is voided stays voided.
        """
        standing: list[Outcome] = []
        for outcome in reversed(wanted):
            stands = self._outcomes.decide(outcome)
            if stands.state is not outcome.state:
                # Its original is being sent after all: what follows from voiding it is not written.
                return NotNow("it was decided otherwise in the meantime")
            standing.insert(0, stands)
        return Settled(tuple(standing))

    def _send(self, instruction: PostingInstruction, original: Stored) -> Answer:
        # Before SENDING: what waits for a posting system known to be away can still be voided.
        self._system.connect()
        standing = self._outcomes.decide(_sending(instruction))
        if standing.state is not OutcomeState.SENDING:
            return Settled((standing,))
        return self._conclude(instruction, self._book(_booking(instruction, original)))

    def _ask_then_book(self, instruction: PostingInstruction, own: Stored, original: Stored) -> Answer:
        if own.outcome and own.outcome.content_hash != instruction.transaction.content_hash:
            return Impossible(
                f"{instruction.transaction.transaction_id} is SENDING with another content hash"
            )
        booking = _booking(instruction, original)
        return self._conclude(instruction, self._system.find(booking) or self._book(booking))

    def _book(self, booking: Booking) -> Booked | Refused:
        try:
            return self._system.book(booking)
        except OutcomeUnknown:
            return self._system.find(booking) or self._system.book(booking)

    def _conclude(self, instruction: PostingInstruction, answer: Booked | Refused) -> Answer:
        wanted = _posted(instruction, answer) if isinstance(answer, Booked) else _refused(instruction, answer)
        standing = self._outcomes.decide(wanted)
        if standing.state is not wanted.state:
            raise InvariantBroken(f"the posting system says {wanted.state}, the outcome {standing.state}")
        return Settled((standing,))


def _sending(instruction: PostingInstruction) -> Outcome:
    """Announced, it is the approval once more: whoever sweeps what was left behind need only publish it."""
    cause = instruction.cause
    return Outcome(
        transaction_id=cause.transaction_id,
        state=OutcomeState.SENDING,
        event_type="TransactionPostingApproved",
        content_hash=instruction.transaction.content_hash,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        decided_at=instruction.decided_at,
        data=cause.data,
        replay=cause.replay,
    )


def _booking(instruction: PostingInstruction, original: Stored) -> Booking:
    transaction = instruction.transaction
    # Of a return the posting system has the creditor by the key of what it reverses.
    creditor = instruction.counterparty if transaction.kind is Kind.TRANSFER else None
    if original.outcome is not None:
        direction = _DIRECTIONS[Kind(original.outcome.data["kind"])].opposite
    else:
        direction = _DIRECTIONS[transaction.kind]
    return Booking(
        key=transaction.transaction_id,
        kind=transaction.kind,
        account=instruction.account.account_id,
        direction=direction,
        amount=transaction.amount,
        billing=transaction.billing,
        content_hash=transaction.content_hash,
        counterparty=creditor.account_id if creditor else None,
        reverses=transaction.original_transaction_id,
    )


def _posted(instruction: PostingInstruction, booked: Booked) -> Outcome:
    transaction = instruction.transaction
    data: dict[str, Any] = {
        "source": transaction.source,
        "kind": transaction.kind.value,
        "amount": transaction.amount.to_data(),
        "billing": transaction.billing.to_data(),
        "posting_id": booked.posting_id,
        "ledger": "http",
        "entries": [entry.to_data() for entry in booked.entries],
        "content_hash": transaction.content_hash,
    }
    if transaction.original_transaction_id is not None:
        data["original_transaction_id"] = transaction.original_transaction_id
    return Outcome.of(
        instruction.cause,
        OutcomeState.POSTED,
        "TransactionPosted",
        transaction.content_hash,
        instruction.decided_at,
        data,
    )


def _refused(instruction: PostingInstruction, refused: Refused) -> Outcome:
    # Its code only: what another system writes for people may hold what must not be on the bus.
    return refusal(instruction, REFUSED_BY_LEDGER, f"the posting system refused it: {refused.code}")
