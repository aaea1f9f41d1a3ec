"""Messages about earlier ones: cancellations are decided, questions answered with the present status."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import answers
from postbus.domain.iso20022.answers.camt_029 import UNKNOWN
from postbus.domain.iso20022.messages import Answer, Message, Original, Reason, Reference, Standing, Status
from postbus.domain.iso20022.progress import standing_of, told
from postbus.domain.iso20022.workflow import (
    CANCELLATION_ANSWER,
    OUTGOING,
    Child,
    ChildState,
    Decision,
    DecisionKind,
    Document,
    Entry,
    Head,
    Next,
    StepName,
    StepResult,
    Took,
)
from postbus.domain.steps import Defer
from postbus.functions.process_message.finding import Finder, Found
from postbus.ports import ClaimStore, Clock
from postbus.ports_iso20022 import Documents, MessageStore

_BY = StepName.PROCESS.value
_UNKNOWN_TO_US = Reason("MS03", ("What it asks about is not known.",))

# Sends a step of another transaction.
Follow = Callable[[str, Next], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Answers camt.056 and pacs.028; again is no change.

    Attributes:
        outgoing: the documents that answers are put among.
    """

    messages: MessageStore
    claims: ClaimStore
    outgoing: Documents
    follow: Follow
    clock: Clock

    def answer(self, head: Head, message: Message) -> StepResult:
        """Carry a request out, or wait until it is decided."""
        about = Finder(self.messages, self.claims).find(head, message.references)
        found = [(reference, one) for reference, one in zip(message.references, about, strict=True) if one]
        is_cancellation = message.type.definition == "camt.056"
        if not found:
            self.messages.refuse(head.transaction_id, (UNKNOWN if is_cancellation else _UNKNOWN_TO_US,))
            return Next(StepName.RELEASE)
        if is_cancellation:
            return self._cancel(head, found)
        return self._report(head, found[0][1])

    def _cancel(self, head: Head, found: list[tuple[Reference, Found]]) -> StepResult:
        """Ask for the decision on each transaction it names, and wait for what comes of it."""
        of_transaction: dict[str, list[tuple[Reference, Found]]] = {}
        for reference, one in found:
            of_transaction.setdefault(one.head.transaction_id, []).append((reference, one))
        pending: list[str] = []
        answer: Document | None = None
        for transaction_id, parts in of_transaction.items():
            decided = self.messages.decide(transaction_id, _cancellation(head, parts))
            standing = self.messages.head(transaction_id)
            answer = answer or (standing.documents.get(CANCELLATION_ANSWER) if standing else None)
            if decided.verdict is None:
                pending.append(transaction_id)
                self.follow(transaction_id, Next(StepName.DECIDE, again=True))
        if pending or answer is None:
            return Defer("the cancellation is being decided")
        return self._end(head, answer)

    def _report(self, head: Head, about: Found) -> StepResult:
        original = about.head
        if original.message_id is None or original.message_type is None or head.message_type is None:
            self.messages.refuse(head.transaction_id, (_UNKNOWN_TO_US,))
            return Next(StepName.RELEASE)
        written = answers.write(
            Answer(
                message_id=answers.message_id(head.transaction_id, answers.Kind.STATUS),
                created_at=self.clock(),
                original=Original(message_id=original.message_id, message_type=original.message_type),
                status=original.status,
                reasons=told(original.status, original.reasons),
                standings=tuple(_standing(child, original.status) for child in about.children),
            ),
            head.message_type,
        )
        # Under its time, for written again later it says something else.
        key = f"outgoing/{head.transaction_id}/{self.clock():%Y%m%dT%H%M%S%f}.xml"
        return self._end(head, self.outgoing.put(key, written.body))

    def _end(self, head: Head, answer: Document) -> StepResult:
        """The request is carried out; whether that was what its sender hoped for, the answer says."""
        if head.status is Status.ACTC:
            head = self.messages.append(head, Entry(status=Status.ACSP, at=self.clock(), by=_BY))
        if head.status is Status.ACSP:
            entry = Entry(status=Status.ACSC, at=self.clock(), by=_BY)
            self.messages.append(head, entry, {OUTGOING: answer})
        return Took()


def _standing(child: Child, status: Status) -> Standing:
    """What is told of a transfer: while it is open, where its message is; and never why one waits."""
    if child.state is not ChildState.OPEN:
        return standing_of(child)
    return replace(standing_of(child), status=status, reasons=())


def _cancellation(head: Head, parts: list[tuple[Reference, Found]]) -> Decision:
    """What a camt.056 wants of one transaction; the same decision however often it is asked."""
    reasons = dict.fromkeys(Reason(reference.reason) for reference, _ in parts if reference.reason)
    whole = any(_is_whole(reference) for reference, _ in parts)
    numbers = () if whole else sorted({child.number for _, one in parts for child in one.children})
    return Decision(
        # By its content: handed in as a cancellation of the transaction, it is this same decision.
        key=f"{DecisionKind.CANCELLATION}.{_sha256(head)[:32]}",
        kind=DecisionKind.CANCELLATION,
        by=head.owner,
        at=head.opened_at,
        reasons=tuple(reasons),
        message=head.incoming,
        numbers=tuple(numbers),
    )


def _sha256(head: Head) -> str:
    if head.incoming is None:
        raise InvariantBroken(f"{head.transaction_id} has no message")
    return head.incoming.sha256


def _is_whole(reference: Reference) -> bool:
    return not any(
        (
            reference.original_uetr,
            reference.original_end_to_end_id,
            reference.original_transaction_id,
            reference.original_instruction_id,
        )
    )
