"""The one outcome of a transaction: decided once, announced as often as asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from postbus.domain.errors import InvariantBroken
from postbus.domain.event import Event, event_id
from postbus.domain.lifecycle import FACTS, REFUSED_BY_LEDGER_FROM, TRANSITIONS, OutcomeState

# The reason code of a TransactionPostingFailed that is an external ledger's own, definite answer.
REFUSED_BY_LEDGER = "REFUSED_BY_LEDGER"

# The reason code of a TransactionVoided by which an operator answers a hold.
REFUSED_BY_OPERATOR = "REFUSED_BY_OPERATOR"

# The reason code of a TransactionVoided of a reversal whose original is not posted.
ORIGINAL_VOIDED = "ORIGINAL_VOIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was decided, and everything needed to announce it again, word for word.

    Attributes:
        event_type: the event that announces it (TransactionHeld, TransactionPosted, ...).
        content_hash: of the transaction it was decided for.
        data: the announcement's ``data``.
        context: what a later decision needs (the enriched event's data of a held transaction); not announced.
            Where a reversal voided what was never seen, ``taken_back`` is what it would have taken back.
        replay: name of the archive replay in which it was decided, if any.
    """

    transaction_id: str
    state: OutcomeState
    event_type: str
    content_hash: str
    correlation_id: str
    causation_id: str
    decided_at: datetime
    data: Mapping[str, Any]
    context: Mapping[str, Any] | None = None
    replay: str | None = None

    def __post_init__(self) -> None:
        if self.event_type not in FACTS:
            raise ValueError(f"no such event: {self.event_type}")

    @classmethod
    def of(
        cls,
        cause: Event,
        state: OutcomeState,
        event_type: str,
        content_hash: str,
        decided_at: datetime,
        data: Mapping[str, Any],
        context: Mapping[str, Any] | None = None,
    ) -> "Outcome":
        """The outcome that ``cause`` leads to."""
        return cls(
            transaction_id=cause.transaction_id,
            state=state,
            event_type=event_type,
            content_hash=content_hash,
            correlation_id=cause.correlation_id,
            causation_id=cause.event_id,
            decided_at=decided_at,
            data=data,
            context=context,
            replay=cause.replay,
        )

    @property
    def may_replace(self) -> frozenset[OutcomeState | None]:
        """The stored states this decision may replace; ``None`` stands for nothing stored yet."""
        code = self.data.get("reason", {}).get("code")
        if self.event_type == "TransactionPostingFailed" and code == REFUSED_BY_LEDGER:
            return REFUSED_BY_LEDGER_FROM
        if self.event_type == "TransactionVoided" and code == REFUSED_BY_OPERATOR:
            # Of a release and a refusal at once exactly one is done; whoever comes later has to cancel.
            return frozenset({OutcomeState.HELD})
        if self.event_type == "TransactionRejected":
            # A repeat or a replay, judged by other rules than the first time, ends nothing that is held.
            return frozenset({None})
        return TRANSITIONS[self.state]

    @property
    def is_provisional(self) -> bool:
        """Whether a reversal voided what was never seen: it stands if what comes is what that takes back."""
        return (self.context or {}).get("taken_back") is not None

    @property
    def found_unposted(self) -> str | None:
        """Of a reversal that found nothing to reverse: the transaction it names, which must not be posted."""
        code = self.data.get("reason", {}).get("code")
        return self.data.get("original_transaction_id") if code == ORIGINAL_VOIDED else None

    @staticmethod
    def names_unseen(data: Mapping[str, Any]) -> bool:
        """Whether an announcement with this ``data`` is of what was voided before it was seen.

        It is the end of what the reversal takes back, and of nothing else under this id (``concerns``).
        """
        return "reversed_by" in data and "transaction" not in data

    def concerns(self, transaction: Mapping[str, Any] | None) -> bool:
        """Whether it decides about a transaction of this data; ``None`` where nothing is known of it.

        What was voided before it was seen is the payment its reversal fits.  Another one, which the reversal
        named by mistake, is as undecided as if the reversal had never come.
        """
        expected = (self.context or {}).get("taken_back")
        if expected is None or transaction is None:
            return True
        fits = all(transaction[name] == value for name, value in expected.items())
        return bool(transaction["kind"] != "reversal") and fits

    def is_of(self, content_hash: str) -> bool:
        """Whether it was decided for this content, as far as both are known."""
        return not self.content_hash or not content_hash or self.content_hash == content_hash

    def may_follow(self, stored: "Outcome | None") -> bool:
        """Whether this decision may replace what is stored.

        Raises:
            InvariantBroken: what is stored was decided for other content, and this is no replay.
        """
        if stored is not None and not stored.is_of(self.content_hash) and self.replay is None:
            raise InvariantBroken(
                f"{self.transaction_id} is {stored.state} with content {stored.content_hash}, "
                f"asked to be {self.state} with {self.content_hash}"
            )
        if stored is not None and not stored.concerns(self.data.get("transaction")):
            stored = None
        return (stored.state if stored else None) in self.may_replace

    def announcement(self, replay: str | None = None) -> Event:
        """The event that tells of it: the same id and the same words whoever asks, however often.

        Args:
            replay: the one it is told in.  In the very one it was decided in it is news, and not marked.
        """
        return Event(
            type=self.event_type,
            transaction_id=self.transaction_id,
            event_id=event_id(self.transaction_id, self.event_type, self.causation_id),
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            occurred_at=self.decided_at,
            data=self.data,
            replay=None if replay == self.replay else replay,
        )
