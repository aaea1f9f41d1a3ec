"""Messages about earlier ones: cancellations are decided, questions answered with the present status.

A request is about one earlier message: one that names several, or anything in it that is not known, is
refused whole, so that nothing it names is passed over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from postbus.domain.errors import InvariantBroken
from postbus.domain.iso20022 import answers, decisions, originals
from postbus.domain.iso20022.answers.camt_029 import UNKNOWN
from postbus.domain.iso20022.claims import claim_of
from postbus.domain.iso20022.decisions import ENDS_AS
from postbus.domain.iso20022.messages import Answer, Message, Original, Reason, Standing, Status
from postbus.domain.iso20022.progress import standing_of, told
from postbus.domain.iso20022.status import FINAL
from postbus.domain.iso20022.workflow import (
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
    answer_to,
)
from postbus.domain.steps import Defer
from postbus.functions.process_message.finding import Finder, Found
from postbus.ports import ClaimStore, Clock
from postbus.ports_iso20022 import Documents, MessageStore

_BY = StepName.PROCESS.value
_UNKNOWN_TO_US = Reason("MS03", ("What it asks about is not known.",))
_SEVERAL = ("It is about several messages: each is asked about in a request of its own.",)
_TOO_MANY = Reason("MS03", ("Too many cancellations of this message were asked for.",))

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
        is_cancellation = message.type.definition == "camt.056"
        unknown = UNKNOWN if is_cancellation else _UNKNOWN_TO_US
        every = self._find(head, message)
        found = [one for one in every if one is not None]
        if len({one.head.transaction_id for one in found}) > 1:
            return self._refuse(head, replace(unknown, additional=_SEVERAL))
        if not found or len(found) < len(every):
            return self._refuse(head, unknown)
        original = found[0].head
        whole = any(originals.is_whole(reference) for reference in message.references)
        if original.children is None and not whole:
            return Defer("the message it is about is not read yet")
        if is_cancellation:
            numbers = {child.number for one in found for child in one.children} if not whole else set()
            return self._cancel(head, original, message, tuple(sorted(numbers)), whole)
        children = {child.number: child for one in found for child in one.children}
        return self._report(head, original, [children[number] for number in sorted(children)])

    def _find(self, head: Head, message: Message) -> Sequence[Found | None]:
        """What it is about; from its first finding on the same, whatever comes under the same references."""
        finder = Finder(self.messages, self.claims)
        key = originals.about_key(head.transaction_id)
        (bound,) = self.claims.claim([originals.look_up(key)])
        if bound.transaction_id:
            return finder.within(head, bound.transaction_id, message.references)
        return finder.find(head, message.references, message.sender)

    def _bind(self, head: Head, original: Head) -> None:
        key = originals.about_key(head.transaction_id)
        self.claims.claim([replace(claim_of(head, key), transaction_id=original.transaction_id)])

    def _refuse(self, head: Head, reason: Reason) -> StepResult:
        self.messages.refuse(head.transaction_id, (reason,))
        return Next(StepName.RELEASE)

    def _cancel(
        self, head: Head, original: Head, message: Message, numbers: tuple[int, ...], whole: bool
    ) -> StepResult:
        """Ask for the decision; whoever writes the final answer to this very one sends this step again.

        Until then it stays as it is, for as long as its original may be open: that ends by its own time, by
        an operator or by the other ledger's word, and the cancellation stands for as long.  Of the same
        camt.056 under several transactions only the first is sent then: the others look again by themselves,
        and after a while with whoever looks for what stands still, so that no message ages in the queue.
        """
        wanted = _cancellation(head, message, numbers, whole, self.clock())
        kept = self.messages.decisions(original.transaction_id)
        if decisions.is_one_too_many(wanted, kept) and head.status is Status.ACTC:
            return self._refuse(head, _TOO_MANY)
        self._bind(head, original)
        if head.status is Status.ACTC:
            # From here on its time is not over before it is answered: what was refused must not cancel.
            head = self.messages.append(head, Entry(status=Status.ACSP, at=self.clock(), by=_BY))
        if head.status in FINAL:
            return Next(StepName.RELEASE)
        own = self.messages.decisions(head.transaction_id)
        if any(one.kind in ENDS_AS and one.verdict is None for one in own):
            return Defer("its own end is being decided")
        if decisions.ending(own, head):
            return Next(StepName.RELEASE)
        decided = self.messages.decide(original.transaction_id, wanted)
        standing = self.messages.head(original.transaction_id)
        answer = standing.documents.get(answer_to(decided.key)) if standing else None
        if decided.verdict is None or answer is None:
            if not self._is_followed_by_another(decided, head):
                self.follow(original.transaction_id, Next(StepName.DECIDE, again=True))
            last = head.steps.get(StepName.PROCESS)
            if decided.request == head.transaction_id or (last is not None and last.attempt > 1):
                return Took()
            return Defer("the same cancellation was asked for before and is not answered yet")
        return self._end(head, answer)

    def _is_followed_by_another(self, decided: Decision, head: Head) -> bool:
        """Whether the request that it came with first still waits for its answer, too."""
        if decided.request in (None, head.transaction_id):
            return False
        first = self.messages.head(decided.request)
        return first is not None and first.status not in FINAL

    def _report(self, head: Head, original: Head, children: Sequence[Child]) -> StepResult:
        if original.message_id is None or original.message_type is None or head.message_type is None:
            return self._refuse(head, _UNKNOWN_TO_US)
        self._bind(head, original)
        standing = decisions.ending(self.messages.decisions(original.transaction_id), original)
        written = answers.write(
            Answer(
                message_id=answers.message_id(head.transaction_id, answers.Kind.STATUS),
                created_at=self.clock(),
                original=Original(message_id=original.message_id, message_type=original.message_type),
                status=original.status,
                reasons=told(original.status, original.reasons),
                standings=tuple(_standing(child, original.status, standing) for child in children),
            ),
            head.message_type,
        )
        # Under its time, for written again later it says something else.
        key = f"outgoing/{head.transaction_id}/{self.clock():%Y%m%dT%H%M%S%f}.xml"
        return self._end(head, self.outgoing.put(key, written.body))

    def _end(self, head: Head, answer: Document) -> StepResult:
        """The request is carried out; whether that was what its sender hoped for, the answer says.

        That it has ended, the release tells whoever listens.
        """
        if head.status is Status.ACTC:
            head = self.messages.append(head, Entry(status=Status.ACSP, at=self.clock(), by=_BY))
        if head.status is Status.ACSP:
            entry = Entry(status=Status.ACSC, at=self.clock(), by=_BY)
            self.messages.append(head, entry, {OUTGOING: answer})
        return Next(StepName.RELEASE)


def _standing(child: Child, status: Status, standing: Sequence[Decision]) -> Standing:
    """What is told of a transfer: while it is open, where its message is; and never why one waits."""
    if child.state is ChildState.OPEN:
        return replace(standing_of(child), status=status, reasons=())
    decision = decisions.covering(child.number, standing)
    return standing_of(child, *((decision.kind, decision.reasons) if decision else ()))


def _cancellation(
    head: Head, message: Message, numbers: tuple[int, ...], whole: bool, at: datetime
) -> Decision:
    """What a camt.056 wants of its original; the same decision however often it is asked."""
    if whole is bool(numbers):
        raise InvariantBroken(f"{head.transaction_id} cancels neither all nor named transfers")
    if head.incoming is None:
        raise InvariantBroken(f"{head.transaction_id} has no message")
    reasons = dict.fromkeys(Reason(one.reason) for one in message.references if one.reason)
    return Decision(
        # By its content: handed in as a cancellation of the transaction, it is this same decision.
        key=f"{DecisionKind.CANCELLATION}.{head.incoming.sha256[:32]}",
        kind=DecisionKind.CANCELLATION,
        by=head.owner,
        at=at,
        reasons=tuple(reasons),
        message=head.incoming,
        request=head.transaction_id,
        numbers=numbers,
    )
