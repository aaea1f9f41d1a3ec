"""A client's transaction on its way from ACCP to a final status, as it is kept.

One transaction carries one message; each transfer of the message is a child, which the pipeline knows under
an id of its own that is derived from both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.messages import Agent, MessageType, Quoted, Reason, Status
from postbus.domain.money import Money
from postbus.domain.steps import Defer, Park

# The inbound source of the pipeline that takes them (``domain.inbound.credit_transfers``), by its name alone:
# whoever only asks where a transaction stands is spared what reading records needs.
_SOURCE = "credit_transfers"

# Letters only: an inbound record refuses a long run of digits, which might be a card number.
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_DIGITS = str.maketrans("abcdefghijklmnop", "0123456789abcdef")


def transfer_key(transaction_id: str, number: int) -> str:
    """The key of a transfer's record in ``credit_transfers``: 32 letters, a hyphen, five digits.

    Args:
        transaction_id: UUID in its 36-character form.
        number: of the transfer in its message, the first is 1.
    """
    return f"{transaction_id.replace('-', '').translate(_LETTERS)}-{number:05}"


def pipeline_transaction_id(transaction_id: str, number: int) -> str:
    """The id under which the pipeline posts a transfer."""
    return f"{_SOURCE}-{transfer_key(transaction_id, number)}"


def child_of(pipeline_id: str) -> tuple[str, int] | None:
    """Transaction id and number of the transfer a pipeline id stands for; ``None`` where it is no such id."""
    key = pipeline_id.removeprefix(f"{_SOURCE}-")
    return None if key == pipeline_id else transfer_of(key)


def transfer_of(key: str) -> tuple[str, int] | None:
    """Transaction id and number of the transfer with a record under this key; ``None`` where it is none."""
    letters, hyphen, number = key[:32], key[32:33], key[33:]
    if len(letters) != 32 or hyphen != "-" or not letters.isascii():
        return None
    if set(letters) - set("abcdefghijklmnop") or len(number) != 5 or not number.isdecimal():
        return None
    digits = letters.translate(_DIGITS)
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts), int(number)


class StepName(StrEnum):
    """The steps, each one function behind its own queue."""

    RECEIVE = "receive"
    PROCESS = "process"
    DECIDE = "decide"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class StepCall:
    """A message of a step's queue, ``{"transaction_id", "step", "attempt"}``.

    Attributes:
        attempt: 1 for the first; another attempt is another message to the queue's deduplication.
    """

    transaction_id: str
    step: StepName
    attempt: int

    @classmethod
    def from_data(cls, data: Any) -> "StepCall":
        """Read a queue message's body; raises Malformed naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("", "an object with transaction_id, step and attempt")
        transaction_id, step, attempt = data.get("transaction_id"), data.get("step"), data.get("attempt")
        if not isinstance(transaction_id, str) or not transaction_id:
            raise Malformed("transaction_id", "non-empty text")
        if step not in set(StepName):
            raise Malformed("step", "one of " + ", ".join(StepName))
        if type(attempt) is not int or attempt < 1:
            raise Malformed("attempt", "a whole number from 1")
        return cls(transaction_id, StepName(step), attempt)

    def to_data(self) -> dict[str, Any]:
        return {"transaction_id": self.transaction_id, "step": self.step.value, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class Took:
    """Done, by this call or by an earlier one; nothing follows from it."""


@dataclass(frozen=True, slots=True)
class Next:
    """Done, and another step follows.

    A repeat that finds its own work done answers it again, for as long as the status is still the one it
    left: the step is then sent once more until it is recorded as taken, and never after.

    Attributes:
        again: send it even if it was taken, as a new attempt: a redrive, or a further decision.
    """

    step: StepName
    again: bool = False


StepResult = Took | Next | Defer | Park
Step = Callable[[StepCall], StepResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """The last sending of a step of one transaction.

    Attributes:
        version: of the head it followed from.
        taken_at: when its function began with it; ``None`` until then.
        parked: why it lies in the dead-letter queue, for one that does.
    """

    attempt: int
    version: int
    sent_at: datetime
    taken_at: datetime | None = None
    parked: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A stored message.

    Attributes:
        key: where it lies in the documents' bucket.
        sha256: of its bytes, 64 hexadecimal digits.
        length_bytes: its size.
    """

    key: str
    sha256: str
    length_bytes: int


# The names under which a transaction keeps the documents that were written for it.
OUTGOING = "outgoing"
CREDIT_NOTIFICATION = "credit_notification"
CANCELLATION_ANSWER = "cancellation_answer"


def answer_to(decision_key: str) -> str:
    """The name of the final answer to one cancellation; there is none while that is pending.

    Under ``CANCELLATION_ANSWER`` stands the last one's, pending or not.
    """
    return f"{CANCELLATION_ANSWER}.{decision_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a transaction stands.

    Attributes:
        owner: the client it belongs to.
        reasons: of the status it has now.
        version: number of its history's entries, the first status is 1.
        deadline: until when it should have ended.
        due: from then on the clock may end it, as the store keeps it (``decisions.due``); ``None`` while the
            clock may not.
        incoming: the message; ``None`` until one is attached.
        message_type: of the message, once it was read; with ``message_id``, its ``MsgId``.
        documents: written for it, by name (``OUTGOING``, ...).
        children: number of transfers; ``None`` until all of them are kept.
        children_open: of those the ones that are not final.
        steps: the last sending of each step.
    """

    transaction_id: str
    owner: str
    status: Status
    version: int
    opened_at: datetime
    deadline: datetime
    home_region: str
    due: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    incoming: Document | None = None
    message_type: MessageType | None = None
    message_id: str | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    children: int | None = None
    children_open: int | None = None
    steps: Mapping[StepName, StepRecord] = field(default_factory=dict)

    def sending(self, step: StepName, at: datetime, again: bool = False) -> StepRecord | None:
        """The record of sending a step now; ``None`` when it was taken and nothing new has happened since.

        The same attempt for as long as it is not taken, another one for another version of the head.
        """
        last = self.steps.get(step)
        if last is None:
            return StepRecord(attempt=1, version=self.version, sent_at=at)
        if again or last.version != self.version:
            return StepRecord(attempt=last.attempt + 1, version=self.version, sent_at=at)
        if last.taken_at is not None:
            return None
        return StepRecord(attempt=last.attempt, version=last.version, sent_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One status of a transaction's history.

    Attributes:
        by: who brought it about: a step's name, a client, an operator.
    """

    status: Status
    at: datetime
    by: str
    reasons: tuple[Reason, ...] = ()


class AccountKeyKind(StrEnum):
    """What an account is looked up by."""

    IBAN = "iban"
    OTHER = "other"
    BIC = "bic"


@dataclass(frozen=True, slots=True)
class AccountKey:
    """An IBAN, another account identification, or the BIC of an agent with a settlement account.

    Personal data: it never shows in its own text.
    """

    kind: AccountKeyKind
    value: str = field(repr=False)


class ChildState(StrEnum):
    """Where one transfer is: VOIDED was taken back in the pipeline, REJECTED refused there or before."""

    OPEN = "OPEN"
    POSTED = "POSTED"
    VOIDED = "VOIDED"
    REJECTED = "REJECTED"

    def contradicts(self, told: "ChildState") -> bool:
        """Whether what is told of a final transfer cannot be true beside this: booked, or not booked."""
        return (self is ChildState.POSTED) != (told is ChildState.POSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Quoted):
    """One transfer of a message: what an answer must quote of it, and what became of it.

    Attributes:
        pipeline_id: the pipeline's transaction id; ``None`` for one that never goes there.
        record: the inbound record written for it, kept so that a repeat writes the same one; tokens, no
            personal data.
        amount: ``None`` for one whose amount could not be read.
        creditor_agent: of a transfer; no answer quotes it, but a return of it comes from there.
        settlement_agent: of a transfer that is booked to an agent's settlement account; the BIC that this was
            found under.  What a customer's account was found under is not kept: it is personal data.
        settled_at: when it was booked.
        held_at: when the pipeline held it for an operator, if it did; only while it is open does that matter.
    """

    state: ChildState
    amount: Money | None = None
    pipeline_id: str | None = None
    record: Mapping[str, Any] | None = None
    creditor_agent: Agent | None = None
    settlement_agent: str | None = None
    reasons: tuple[Reason, ...] = ()
    settled_at: datetime | None = None
    held_at: datetime | None = None

    @property
    def record_key(self) -> str | None:
        return self._of_record("transfer")

    @property
    def debtor_account_token(self) -> str | None:
        return self._of_record("debtor_account_token")

    @property
    def creditor_account_token(self) -> str | None:
        return self._of_record("creditor_account_token")

    @property
    def original_transfer(self) -> str | None:
        """The key of the record of what it gives back; ``None`` for what is no return."""
        return self._of_record("original_transfer")

    @property
    def paying_account_token(self) -> str | None:
        """Of the account that the money leaves: with a return, the one it had come to."""
        return self.debtor_account_token if self.original_transfer is None else self.creditor_account_token

    def _of_record(self, name: str) -> str | None:
        return None if self.record is None else self.record.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The final state of one transfer.

    Attributes:
        settled_at: when it was booked, for one that was.
    """

    number: int
    state: ChildState
    reasons: tuple[Reason, ...] = ()
    settled_at: datetime | None = None


class DecisionKind(StrEnum):
    """What can be decided about a transaction from outside its own course."""

    CANCELLATION = "cancellation"
    ACCEPTANCE = "acceptance"
    REJECTION = "rejection"
    CLEARANCE = "clearance"
    TIME_OUT = "time_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a client, an operator or the clock wants of a transaction, for ``decide`` to carry out.

    Attributes:
        key: the same key is the same decision, whoever repeats it.
        by: client, operator, or ``clock``.
        message: the camt.056 it came with.
        request: the transaction of that camt.056, where it has one of its own: it ends with the answer.
        numbers: of the transfers it concerns; empty for all of them.
        verdict: what came of it, in one word; ``None`` until it was carried out.
        note: why, in an operator's own words; a client is never told.
    """

    key: str
    kind: DecisionKind
    by: str
    at: datetime
    reasons: tuple[Reason, ...] = ()
    message: Document | None = None
    request: str | None = None
    numbers: tuple[int, ...] = ()
    verdict: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account of ours.

    Attributes:
        status: ``open``, ``blocked`` or ``closed``.
    """

    token: str
    currency: str
    status: str


class Reservation(StrEnum):
    """What came of reserving the funds for a transfer.

    RESERVED now or by an earlier call; SHORT of funds; DECIDED: the pipeline has posted, voided or held it
    before, so that there is nothing left to reserve.
    """

    RESERVED = "RESERVED"
    SHORT = "SHORT"
    DECIDED = "DECIDED"
